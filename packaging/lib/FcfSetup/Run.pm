package FcfSetup::Run;

# Programs, and services of systemd.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Say qw(fail did);

our @EXPORT_OK = qw(on_path run must start restart runs await);


sub on_path {
    my ($name) = @_;
    return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0];
}


sub run {
    my (@argv) = @_;
    my $said = '';

    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @argv
        or fail("$argv[0]: $!");
    { local $/; $said = <$out> // ''; }
    close $out;
    return ($? == 0, $said);
}


sub must {
    my ($ok, $said) = run(@_);
    fail("@_ failed:\n$said") unless $ok;
    return $said;
}


# its start waits until it says that it is ready
sub start {
    my ($unit, $seconds) = @_;

    if (!(run('systemctl', 'is-enabled', '-q', $unit))[0]) {
        must('systemctl', 'enable', '-q', $unit);
        did("enabled $unit");
    }

    return if runs($unit);

    ready($unit, 'start', $seconds);
    did("started $unit");
}


# so does its restart; and an agent whose etcd refuses it never says so
sub restart {
    my ($unit, $seconds) = @_;

    ready($unit, 'restart', $seconds);
    did("restarted $unit");
}


sub ready {
    my ($unit, $verb, $seconds) = @_;
    my ($ok, $said) = run('timeout', $seconds, 'systemctl', $verb, $unit);
    return if $ok;

    (undef, my $log) = run('journalctl', '-q', '-n', 20, '-o', 'cat',
        '-u', $unit);
    fail("$unit is not ready after $seconds s: $said\n$log");
}


# until that says so, for so many seconds at most: (whether it did, what else it
# said last)
sub await {
    my ($seconds, $check) = @_;
    my $end = time + $seconds;
    my ($ok, $said);

    do {
        select undef, undef, undef, 0.1 if defined $ok;
        ($ok, $said) = $check->();
    } until $ok || time > $end;

    return ($ok, $said);
}


sub runs { (run('systemctl', 'is-active', '-q', $_[0]))[0] }

1;
