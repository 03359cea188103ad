# Reloads under load with many functions declared (FCF_RELOAD_SPECS says how
# many), each while the workers of the last one are still listing them.

use strict;
use warnings;

use lib 't/lib';
use FcfTest::Reloads;

FcfTest::Reloads::run(reloads => 10, specs => 5000);
