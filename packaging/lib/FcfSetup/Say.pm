package FcfSetup::Say;

# What a run says: at once, or in the list at its end of what it wrote and did.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(say_line fail wrote did has_written has_changed tell_changes);

my (@wrote, @did);


sub say_line { print "fcfaas-setup: @_\n" }

sub fail {
    print STDERR "fcfaas-setup: @_\n";
    exit 1;
}

sub wrote { push @wrote, @_ }
sub did   { push @did, @_ }

sub has_written {
    my ($what) = @_;
    return scalar grep { /$what/ } @wrote;
}


sub has_changed { return @wrote || @did }


sub tell_changes {
    my ($out) = (@_, *STDOUT);

    if (@wrote || @did) {
        print {$out} "wrote:\n", map { "    $_\n" } @wrote if @wrote;
        print {$out} "did:\n", map { "    $_\n" } @did if @did;
    } else {
        print {$out} "fcfaas-setup: all is as it was\n";
    }
}

1;
