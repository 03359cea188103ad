# Many reloads under load, FCF_RELOADS of them (50).  "make reloads" has 1000
# of these and of their variants.

use strict;
use warnings;

use lib 't/lib';
use FcfTest::Reloads;

FcfTest::Reloads::run(reloads => 50);
