package RouteHost;

# Drives $(B)/t/unit/route_host, an agent that has routes and nothing else,
# and plays what stands around it: a guest, clients that never stop, a proxy
# gone mad.
#
#   my $h = RouteHost->new(socket => $path, program => 1, keep => 0, ...);
#   $h->up;                         # waits until it has met the proxy
#   my $port = $h->open('a', $guest_port);
#   $h->cmd('drain a 1');  $h->event('drained a');
#   $h->pid; $h->kill('KILL'); $h->quit; $h->log;
#   my $proxy = RouteHost::proxy(socket => $path);      # a FcfTest::Proc
#   my $guest = RouteHost::guest();                     # port; answers "ok"
#   my $load = RouteHost::load($port);                  # a request each ms
#   my ($sent, @lost) = RouteHost::load_end($load);

use strict;
use warnings;

use FcfTest;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use IPC::Open3;
use Time::HiRes qw(time sleep);

use constant USER => 61234;             # nobody's

my $count = 0;


sub new {
    my ($class, %o) = @_;
    my $build = build_dir();
    my $log = tmpdir() . '/route-host-' . ++$count . '.log';
    my @args = ('-S', $o{socket}, '-U', $o{user} // USER, '-T', 'secret');

    push @args, '-P', "$build/agent/fcfaas-proxy" if $o{program};
    push @args, '-k' if $o{keep};
    push @args, '-p', $o{patience} if $o{patience};
    push @args, '-n', $o{files} if $o{files};

    open my $err, '>', $log or die "$log: $!";
    my ($in, $out);
    my $pid = open3($in, $out, '>&' . fileno $err,
        "$build/t/unit/route_host", @args);

    FcfTest::show_log_on_failure($log, 40);
    return bless { pid => $pid, in => $in, out => $out, log => $log,
        pending => '', events => [] }, $class;
}


sub pid { $_[0]{pid} }
sub log { slurp($_[0]{log}) }

# the next line of any kind
sub _line {
    my ($self, $wait) = @_;
    my $until = now() + $wait;

    while (index($self->{pending}, "\n") < 0) {
        my $left = $until - now();
        return undef if $left <= 0;
        IO::Select->new($self->{out})->can_read($left) or return undef;
        sysread $self->{out}, $self->{pending}, 4096, length $self->{pending}
            or return undef;
    }

    (my $line, $self->{pending}) = split /\n/, $self->{pending}, 2;
    return $line;
}

sub cmd {
    my ($self, $text) = @_;

    local $SIG{PIPE} = 'IGNORE';
    syswrite $self->{in}, "$text\n";

    while (defined(my $line = $self->_line(20))) {
        return $line if $line !~ /^(?:up$|drained |closed )/;
        push @{ $self->{events} }, $line;
    }

    return '';
}

# has it said this, or does it in time?
sub event {
    my ($self, $what, $wait) = @_;
    my $events = $self->{events};
    my $until = now() + ($wait // 20);

    while (1) {
        for my $i (0 .. $#$events) {
            next if $events->[$i] ne $what;
            splice @$events, $i, 1;
            return 1;
        }

        my $line = $self->_line($until - now()) // return 0;
        push @$events, $line;
    }
}

sub up { $_[0]->event('up', $_[1]) }

sub open {
    my ($self, $name, $guest, $concurrency) = @_;
    my $line = $self->cmd(sprintf 'open %s f %d %d', $name, $guest,
        $concurrency // 0);

    return $line =~ /^port (\d+)/ ? $1 : die "open: $line";
}

sub stat {
    my ($self, $name) = @_;
    return { $self->cmd("stat $name") =~ /(\w+)=(\d+)/g };
}

# pid of the proxy that it has met last
sub proxy_pid {
    my ($self) = @_;
    my (@pids) = $self->log =~ /the proxy, process (\d+), is there/g;
    return $pids[-1];
}

# how often it has met one
sub meetings {
    my ($self) = @_;
    my $n = () = $self->log =~ /the proxy, process \d+, is there/g;
    return $n;
}

sub met {
    my ($self, $times, $wait) = @_;
    wait_for(sub { $self->meetings >= $times }, $wait // 20,
        "the proxy to be met $times times");
}

sub kill {
    my ($self, $signal) = @_;
    CORE::kill $signal, $self->{pid};
    return if $signal ne 'KILL';
    waitpid $self->{pid}, 0;
    $self->{pid} = undef;
}

# its status
sub quit {
    my ($self) = @_;

    $self->cmd('quit');
    close $self->{in};
    waitpid $self->{pid}, 0;
    $self->{pid} = undef;
    return $?;
}

sub DESTROY {
    my ($self) = @_;
    local $?;
    CORE::kill 'KILL', $self->{pid} if $self->{pid};
    waitpid $self->{pid}, 0 if $self->{pid};
}


# a proxy that nobody's child is, but the test's
sub proxy {
    my (%o) = @_;

    return FcfTest::Proc->spawn(name => 'proxy-' . ++$count,
        argv => [build_dir() . '/agent/fcfaas-proxy',
            "--socket=$o{socket}", '--user=' . ($o{user} // USER),
            '--threads=1', @{ $o{args} // [] }]);
}


# a guest that answers "ok" to whatever it is sent; its port
my @children;

sub guest {
    my $listen = IO::Socket::INET->new(Listen => 512,
        LocalAddr => '127.0.0.1', ReuseAddr => 1) or die "listen: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        _serve($listen);
        POSIX::_exit(0);
    }

    push @children, $pid;
    return $listen->sockport;
}

sub _serve {
    my ($listen) = @_;
    my $all = IO::Select->new($listen);
    my %got;

    $SIG{PIPE} = 'IGNORE';

    while (my @ready = $all->can_read) {
        for my $s (@ready) {
            if ($s == $listen) {
                $all->add(scalar $listen->accept);
                next;
            }

            my $n = sysread $s, $got{$s}, 65536, length($got{$s} // '');

            if (!$n) {
                $all->remove($s);
                delete $got{$s};
                close $s;
                next;
            }

            while ($got{$s} =~ s/^(\w+) (\S+) .*?\r\n\r\n//s) {
                sleep 0.2 if $2 eq '/slow';
                syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            }
        }
    }
}


sub request {
    my ($port, $path, %o) = @_;
    return http_send($port, $path // '/', headers => {
        'X-Fcfaas-Function' => 'f', 'X-Fcfaas-Token' => 'secret' }, %o);
}

sub call {
    my ($port, $path, %o) = @_;
    return eval { request($port, $path)->response($o{timeout} // 20) }
        // { status => 0, why => $@ };
}


# A child that asks once a millisecond, each time on a connection of its own,
# until it is told to stop.
sub load {
    my ($port, $path) = @_;
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        my ($sent, $stop, @lost) = (0, 0);
        $SIG{TERM} = sub { $stop = 1 };
        my $next = time;

        until ($stop) {
            my $r = call($port, $path);
            $sent++;
            push @lost, sprintf '%.3f %d %s', time, $r->{status},
                ($r->{why} // $r->{body} // '') =~ s/\n/ /gr
                if $r->{status} != 200;
            $next += 0.001;
            my $left = $next - time;
            $left > 0 ? sleep $left : ($next = time);
        }

        print $to join "\n", $sent, @lost;
        close $to;
        POSIX::_exit(0);
    }

    close $to;
    push @children, $pid;
    return { pid => $pid, from => $from };
}

sub load_end {
    my ($load) = @_;

    CORE::kill 'TERM', $load->{pid};
    my ($sent, @lost) = split /\n/, do { local $/; readline $load->{from} };
    waitpid $load->{pid}, 0;
    @children = grep { $_ != $load->{pid} } @children;
    return ($sent, @lost);
}

END {
    local $?;
    CORE::kill 'KILL', @children if @children;
    waitpid $_, 0 for @children;
}

1;
