#!/usr/bin/perl

# split.t on what is shipped: a sanitizer's build is let make more system calls
# than the proxy of the release, so that only this one shows what is forbidden
# there by mistake.

use strict;
use warnings;

BEGIN { $ENV{FCF_BUILD} = 'build/release' }

do './t/agent/split.t' or die $@ || $!;
