package FcfSetup::Renew;

# Certificates of this machine, anew, and with them what else the head gives:
# passwords and the token, if they are others now.  Who has connections goes on
# with them: nginx reads the new ones with a reload, etcd and agents read them
# whenever they connect.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Ca qw(ends_at);
use FcfSetup::Files qw($etc);
use FcfSetup::Front qw($tls);
use FcfSetup::Head qw(is_head head_renew);
use FcfSetup::Join ();
use FcfSetup::Run qw(must restart runs);
use FcfSetup::Say qw(fail did has_written);
use FcfSetup::Sign qw(DAYS);
use POSIX qw(strftime);

our @EXPORT_OK = qw(renew endings);

# the timer makes others long before; people need time for another CA
use constant { SOON => 30, CA_SOON => 365 };


# due: only if a third of its time has gone
sub renew {
    my (%opt) = @_;

    fail('this machine has no certificates: it is alone, or has not joined '
        . 'yet') unless -e "$tls/machine.pem";
    return if $opt{due} && (ends_at("$tls/machine.pem") // 0) - time
        > DAYS * 86400 * 2 / 3;

    is_head() ? head_renew() : FcfSetup::Join::renew($tls, $etc);

    for my $unit (qw(nginx fcfaas-front fcfaas-agent)) {
        next unless runs("$unit.service");

        # an agent takes its token with a reload, other passwords and CAs when
        # it starts
        if ($unit eq 'fcfaas-agent' && has_written(qr/password|ca\.crt/)) {
            restart("$unit.service", 60);
        } else {
            must('systemctl', 'reload', "$unit.service");
            did("reloaded $unit.service");
        }
    }
}


# what ends soon in that directory, in words
sub endings {
    my ($dir, $now) = @_;
    my @all = (
        ['machine.pem', SOON, 'this machine\'s certificate', 'fcfaas-setup '
            . 'renew; does fcfaas-renew.timer run, and what did its service '
            . 'say?'],
        ['ca.crt', CA_SOON, 'the CA of all certificates', '"The CA itself" in '
            . 'docs/install.md says how to make another'],
    );

    return map {
        my ($file, $days, $what, $remedy) = @$_;
        my $ends = -e "$dir/$file" ? ends_at("$dir/$file") : undef;
        !defined $ends || $ends - $now > $days * 86400 ? () : sprintf
            '%s, %s, %s on %s: %s', $what, "$dir/$file",
            $ends > $now ? 'ends' : 'has ended',
            strftime('%F', gmtime $ends), $remedy;
    } @all;
}

1;
