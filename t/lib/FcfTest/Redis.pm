package FcfTest::Redis;

# A real Redis.
#
#   my $redis = FcfTest::Redis->start(
#       name => 'redis', netns => $ns, listen => '127.0.0.1', port => $port,
#       persist => 1,               # keeps its data over a restart
#       password => 'p w',          # of the default user
#       loading => 1,               # started while it loads its data
#       args => ['--maxclients', 5],
#   );
#   FcfTest::Redis->attach(port => 16379);  # one that somebody else runs
#   $redis->addr;                   # "127.0.0.1:<port>"
#   $redis->cli('LLEN', 'queue:vm_provision');  # text, number, undef, or a
#                                   # reference to a list; dies of an error
#   $redis->jobs;                   # decoded jobs in the queue, oldest first
#   $redis->take_job($timeout_s);   # the oldest, decoded, or undef
#   $redis->calls('lpush');         # how often, by INFO commandstats
#   $redis->stop($signal); $redis->start_again; $redis->pause; $redis->resume;

use strict;
use warnings;

use IO::Socket::INET;


sub start {
    my ($class, %opt) = @_;
    my $self = bless { name => 'redis', listen => '127.0.0.1', %opt }, $class;

    $self->{port} //= FcfTest::free_port();
    $self->{dir} = FcfTest::tmpdir() . "/$self->{name}.data";
    mkdir $self->{dir} or die "mkdir $self->{dir}: $!\n";

    return $self->start_again;
}


sub attach {
    my ($class, %opt) = @_;
    return bless { listen => '127.0.0.1', %opt }, $class;
}


sub start_again {
    my ($self) = @_;

    delete $self->{sock};
    $self->{proc} = FcfTest::Proc->spawn(
        name  => $self->{name},
        netns => $self->{netns},
        show  => 5,
        argv  => ['redis-server', '--port', $self->{port},
            '--bind', $self->{listen}, '--dir', $self->{dir},
            '--daemonize', 'no', '--save', '', '--protected-mode', 'no',
            '--appendonly', $self->{persist} ? 'yes' : 'no',
            defined $self->{password}
                ? ('--requirepass', $self->{password},
                   '--masterauth', $self->{password}) : (),
            @{ $self->{args} // [] }]);

    FcfTest::wait_for(sub {
        $self->{proc}->alive or die "redis ended at start:\n"
            . FcfTest::tail_of($self->{proc}->log, 10);
        eval { $self->cli('PING') eq 'PONG' } || ($self->{loading}
            && $@ =~ /LOADING/);
    }, 10, 'redis to answer');

    return $self;
}


sub addr { "$_[0]{listen}:$_[0]{port}" }
sub port { $_[0]{port} }
sub proc { $_[0]{proc} }

sub stop {
    my ($self, $sig) = @_;
    delete $self->{sock};
    $self->{proc}->stop($sig);
    return $self;
}

sub pause  { my ($self) = @_; $self->{proc}->pause; return $self }
sub resume { my ($self) = @_; $self->{proc}->resume; return $self }


sub cli {
    my ($self, @args) = @_;
    $self->_connect unless $self->{sock};
    return $self->_call(@args);
}


sub _connect {
    my ($self) = @_;
    $self->{sock} = FcfTest::Netns::within($self->{netns}, sub {
        IO::Socket::INET->new(PeerAddr => $self->{listen},
            PeerPort => $self->{port}, Proto => 'tcp', Timeout => 10);
    }) or die "connect " . $self->addr . ": $!\n";
    $self->_call('AUTH', $self->{password}) if defined $self->{password};
}


sub _call {
    my ($self, @args) = @_;
    my $sock = $self->{sock};

    my $text = '*' . @args . "\r\n";
    $text .= '$' . length($_) . "\r\n$_\r\n" for @args;

    my $got = eval { print $sock $text; $self->_reply };

    if (my $err = $@) {
        delete $self->{sock} unless $err =~ /^redis: /;
        die $err;
    }

    return $got;
}


sub _reply {
    my ($self) = @_;
    my $sock = $self->{sock};

    local $/ = "\r\n";
    my $line = <$sock> // die "redis closed the connection\n";
    chomp $line;
    my $rest = substr $line, 1;

    return $rest if $line =~ /^[+:]/;
    die "redis: $rest\n" if $line =~ /^-/;
    return undef if $rest < 0;
    return [map { $self->_reply } 1 .. $rest] if $line =~ /^\*/;

    read($sock, my $bulk, $rest + 2) == $rest + 2 or die "redis: cut short\n";
    return substr $bulk, 0, $rest;
}


sub jobs {
    my ($self) = @_;
    return map { FcfTest::json_decode($_) }
        reverse @{ $self->cli('LRANGE', 'queue:vm_provision', 0, -1) };
}

sub take_job {
    my ($self, $timeout) = @_;
    my $got = $self->cli('BRPOP', 'queue:vm_provision', $timeout);
    return $got ? FcfTest::json_decode($got->[1]) : undef;
}


# number of calls of a command, or of all but INFO
sub calls {
    my ($self, $command) = @_;
    my $sum = 0;

    for (split /\r\n/, $self->cli('INFO', 'commandstats')) {
        my ($name, $n) = /^cmdstat_([^:|]+)[^:]*:calls=(\d+)/ or next;
        next if defined $command ? $name ne lc $command : $name eq 'info';
        $sum += $n;
    }

    return $sum;
}

1;
