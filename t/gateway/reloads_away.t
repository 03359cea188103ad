# Reloads under load while etcd is away: new workers live on the state file.

use strict;
use warnings;

use lib 't/lib';
use FcfTest::Reloads;

FcfTest::Reloads::run(reloads => 10, away => 1);
