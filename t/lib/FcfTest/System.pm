package FcfTest::System;

# The whole system, as "make run" starts it, in a network namespace of the
# test's own, which the test enters.
#
#   my $s = FcfTest::System->start(
#       vmm   => 'qemu',            # or 'instant'
#       env   => { MAX_VMS => 60 }, # settings of run/up
#       calls => 1,                 # with the two example calls
#   );
#   $s->up($timeout);               # waits until it says that it is up
#   $s->url('/run/hello');  $s->port;
#   $s->curl('/run/hello', @curl_arguments);    # as curl() of FcfTest
#   $s->get($path, %opt);           # as http_get()
#   $s->status;                     # fcfaas_status
#   $s->etcd; $s->redis;            # attached FcfTest objects
#   $s->pid('agent');               # of a service; undef while it has none
#   $s->signal('etcd', 'STOP');
#   $s->deploy($dir, $name, $spec_json, @options_of_fcfaas_deploy);
#   $s->cli;                        # a FcfTest::Cli with its settings
#   $s->instances('hello');         # their worker ids
#   $s->vmms;  $s->vmms($worker_id);        # pids of the VMM processes
#   $s->taps;                       # names of the TAPs
#   $s->run_dir; $s->log('agent');  # its text
#   $s->make('stop');               # run/down inside; status
#   $s->leftovers;                  # what should not be there after the end

use strict;
use warnings;

use POSIX ();


sub start {
    my ($class, %opt) = @_;
    my $self = bless { name => 'run', %opt }, $class;
    my $n = $class->_count;

    $self->{ns} = $opt{ns} // FcfTest::Netns->new("sys$n")->enter;
    $self->{dir} = FcfTest::tmpdir() . "/$self->{name}";
    $self->{env} = {
        RUN_DIR   => $self->{dir},
        RUN_BUILD => FcfTest::build_dir(),
        RUN_VMM   => $opt{vmm} // 'qemu',
        RUN_CALLS => $opt{calls} // 0,
        EGRESS    => 'none',
        KERNEL    => $ENV{FCF_KERNEL} // 'debian',
        %{ $opt{env} // {} },
    };

    $self->{port} = $self->{env}{GATEWAY_PORT} // 8080;
    $self->{etcd} = FcfTest::Etcd->attach(port =>
        $self->{env}{ETCD_PORT} // 12379);
    $self->{redis} = FcfTest::Redis->attach(port =>
        $self->{env}{REDIS_PORT} // 16379);
    $self->{proc} = $self->_spawn("$self->{name}-up", 'up');
    FcfTest::show_log_on_failure("$self->{dir}/log/$_.log", 40)
        for qw(agent proxy nginx-error);

    return $self;
}

{
    my $count = 0;
    sub _count { ++$count }
}


sub _spawn {
    my ($self, $name, $script, @args) = @_;

    return FcfTest::Proc->spawn(name => $name, netns => $self->{ns},
        env => $self->{env}, grace => 120,
        argv => [FcfTest::root() . "/run/$script", @args]);
}


sub up {
    my ($self, $timeout) = @_;
    $self->{proc}->line_matching(qr/^fcfaas: up;/, $timeout // 120);
    return $self;
}


sub proc    { $_[0]{proc} }
sub port    { $_[0]{port} }
sub etcd    { $_[0]{etcd} }
sub redis   { $_[0]{redis} }
sub run_dir { $_[0]{dir} }
sub url     { "http://127.0.0.1:$_[0]{port}$_[1]" }
sub status  { FcfTest::json_decode($_[0]->get('/fcfaas/status')->{body}) }

sub get {
    my ($self, $path, %opt) = @_;
    return FcfTest::http_get($self->{port}, $path, timeout => 60, %opt);
}

sub curl {
    my ($self, $path, @args) = @_;
    return FcfTest::curl('--max-time', 90, @args, $self->url($path));
}


sub pid {
    my ($self, $name) = @_;
    # which goes with its process
    my $text = FcfTest::peek("$self->{dir}/pid/$name");
    return $text =~ /^(\d+)/ ? $1 : undef;
}

sub signal {
    my ($self, $name, $signal) = @_;
    kill $signal, $self->pid($name);
}


# Runs a script of run/ to its end: its status as $?; its output is in the
# log of that name.
sub make {
    my ($self, $script, @args) = @_;
    my $n = $self->_count;
    my $proc = $self->_spawn("$script-$n", $script eq 'stop' ? 'down' : $script,
        @args);

    $self->{last} = $proc;
    return $proc->wait(200) // die "run/$script did not end in 200 s\n";
}

sub last_output { $_[0]{last}->output }

# Changes the gateway's configuration, which its next HUP reads: each answer
# says in X-Version which version gave it; etcd is at that address.
sub tell_versions {
    my ($self, $etcd) = @_;
    my $conf = "$self->{dir}/conf/nginx.conf";
    my $text = FcfTest::slurp($conf) =~ s{(add_header +X-Request-Id [^;]*;)}
        {$1 add_header X-Version \$fcfaas_version always;}r;

    $text =~ s/(fcfaas_etcd +)[^;]*;/$1$etcd;/ if defined $etcd;
    FcfTest::spew($conf, $text);
}

sub deploy {
    my ($self, @args) = @_;

    $self->make('deploy', @args) == 0
        or die "deploy @args: " . $self->last_output;
}

# fcfaas, with the settings that make run wrote
sub cli {
    my ($self) = @_;
    my $conf = FcfTest::slurp($self->run_dir . '/fcfaas.conf');

    return FcfTest::Cli->new(cwd => '/',
        conf => { $conf =~ /^(\w+) = (.*)$/mg });
}

sub instances {
    my ($self, $function_id) = @_;
    return map { (split m{/})[-1] }
        $self->{etcd}->keys("/functions/$function_id/instances/");
}


# The processes of this system, those of run/ itself apart: what has to do
# with its directory, by command line or working directory.
sub _processes {
    my ($self) = @_;
    my $mine = qr{\Q$self->{dir}\E/(?:data|conf|log)};

    return grep {
        $_ != $$ && ($self->_cmdline($_) =~ $mine
            || (readlink("/proc/$_/cwd") // '') =~ $mine);
    } map { m{/proc/(\d+)} } glob '/proc/[0-9]*';
}

sub _cmdline {
    my ($self, $pid) = @_;
    open my $fh, '<', "/proc/$pid/cmdline" or return '';
    return join ' ', split /\0/, <$fh> // '';
}

# the VMM of one worker id, or all
sub vmms {
    my ($self, $worker) = @_;
    my $id = defined $worker ? qr/ --id \Q$worker\E(?: |$)/ : qr/ --id /;
    my @found = grep { $self->_cmdline($_) =~ /--api-sock.*$id/ }
        $self->_processes;

    return @found;
}


sub taps {
    my ($self) = @_;
    my $out = $self->{ns}->run('ip', '-o', 'link');
    my @taps = sort $out =~ /^\d+: (fctap[^:@]*)/mg;
    return @taps;
}


sub log {
    my ($self, $name) = @_;
    my $path = "$self->{dir}/log/$name.log";
    return FcfTest::peek($path);
}


# one line for each process, link, firewall table, file that is left
sub leftovers {
    my ($self) = @_;
    my @left = map { "process $_: " . $self->_cmdline($_) } $self->_processes;

    # who listens says what command lines do not
    push @left, map { "listens: $_" }
        split /\n/, $self->{ns}->run('ss', '-Hltnp');
    push @left, map { "link $_" } grep { !/^(?:lo|veth|v\d)/ }
        $self->{ns}->run('ip', '-o', 'link') =~ /^\d+: ([^:@]+)/mg;
    push @left, map { "firewall: $_" }
        split /\n/, $self->{ns}->run('nft', 'list', 'tables');

    opendir my $dir, $self->{dir} or return @left;
    push @left, map { "file $_" }
        grep { !/^(?:\.\.?|log|lock|data|functions|store)$/ } readdir $dir;
    push @left, map { "file $_" } grep { !m{/(?:etcd|agent)$} }
        glob "$self->{dir}/data/*";

    return @left;
}

1;
