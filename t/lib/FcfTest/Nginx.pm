package FcfTest::Nginx;

# nginx with the module, in the foreground, in a directory of its own.
#
#   my $nginx = FcfTest::Nginx->start(
#       http    => "...",           # inside http {}
#       server  => "...",           # inside a server {} on ->port
#       main    => "...",           # top level
#       events  => "...",  connections => 4096,
#       workers => 2,               # default 1
#       log_level => 'info',        # default; 'debug' works too
#       name    => 'nginx', netns => $ns, listen => '127.0.0.1', port => $port,
#       module  => 0,               # without ours
#       conf    => $text,           # instead of all: a whole nginx.conf;
#                                   # %%PORT%% %%DIR%% %%MODULE%% are put in
#       env     => { ... },
#   );
#   $nginx->port; $nginx->dir; $nginx->error_log; $nginx->conf_file;
#   $nginx->config(%same)->reload;  # new configuration, SIGHUP, waits until
#                                   # new workers serve and returns; the old
#                                   # may still be shutting down
#   $nginx->workers;                # pids of the workers that accept
#   $nginx->logged(qr/.../);        # lines of error.log that match
#   $nginx->served(qr/.../, 5);     # lines of access.log that match, once there
#                                   # are so many: each is written after the
#                                   # answer was sent
#   $nginx->stop;                   # SIGQUIT; then one ok(): nothing at alert
#                                   # or emerg, no sanitizer report.  'TERM',
#                                   # 'KILL' as argument
#   $nginx->start_again;            # after that
#   $nginx->expect_complaint(qr/worker process \d+ exited on signal 9/);
#                                   # an alert that the test provokes
#   FcfTest::Nginx->check($conf_text);      # nginx -t: (ok, what it printed)
#
# The module is build/nginx/ngx_http_fcfaas_module.so in Debian's nginx, or,
# if FCF_BUILD is an asan one, build/nginx-asan/nginx, which has it built in.
# TEST_NGINX_BINARY and TEST_NGINX_LOAD_MODULES say otherwise
# (run/lib/FcfRun/Nginx.pm).

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More ();

require($INC{'FcfRun/Nginx.pm'} //= abs_path(dirname(__FILE__) . '/../../..')
    . '/run/lib/FcfRun/Nginx.pm');

my @all;


# which one is under test
sub binary {
    return $ENV{TEST_NGINX_BINARY} // (-x _asan_binary()
        && FcfTest::build_dir() =~ /asan$/ ? _asan_binary() : 'nginx');
}

sub _asan_binary { FcfTest::root() . '/build/nginx-asan/nginx' }

# it has sanitizers, and with them other sizes and times
my $asan;
sub asan { $asan //= `@{[binary()]} -V 2>&1` =~ /-fsanitize=address/ ? 1 : 0 }


# the directives that load the module, '' where it is built in
sub load_module { FcfRun::Nginx::load_modules(binary()) }


sub start {
    my ($class, %opt) = @_;
    my $self = bless { name => 'nginx', listen => '127.0.0.1', workers => 1,
        module => 1, log_level => 'info', %opt, expected => [] }, $class;

    $self->{port} //= FcfTest::free_port();
    $self->{dir} = FcfTest::tmpdir() . "/$self->{name}";

    mkdir $self->{dir} or die "mkdir $self->{dir}: $!\n";
    mkdir "$self->{dir}/$_" or die $! for qw(logs html);

    $self->config;
    FcfTest::show_log_on_failure($self->error_log, 25);
    push @all, $self;
    $self->_run;

    return $self;
}


sub _run {
    my ($self) = @_;

    $self->{proc} = FcfTest::Proc->spawn(
        name  => $self->{name},
        netns => $self->{netns},
        log   => "$self->{dir}/stderr.log",
        stop  => 'TERM',
        env   => { _sanitizers(), %{ $self->{env} // {} } },
        argv  => [binary(), '-p', "$self->{dir}/", '-c', $self->conf_file,
            '-e', $self->error_log]);

    FcfTest::wait_for(sub {
        $self->{proc}->alive or die "nginx ended at start:\n"
            . FcfTest::tail_of("$self->{dir}/stderr.log", 10)
            . FcfTest::tail_of($self->error_log, 10);
        eval { $self->_probe };
    }, 20, 'nginx to listen');

    # it listens before it minds signals, which it does once it has workers
    FcfTest::wait_for(sub {
        my @workers = $self->workers;
        @workers >= ($self->{conf} ? 1 : $self->{workers});
    }, 20, 'its workers')
        unless ($self->{conf} // $self->{main} // '')
            =~ /master_process\s+off/;
}


# t/lib/lsan.supp: nginx keeps its event arrays
sub _sanitizers {
    my $file = FcfTest::root() . '/t/lib/lsan.supp';

    return (
        ASAN_OPTIONS  => 'detect_odr_violation=0',
        LSAN_OPTIONS  => "suppressions=$file:print_suppressions=0",
        UBSAN_OPTIONS => 'print_stacktrace=1',
    );
}


sub _probe {
    my ($self) = @_;

    FcfTest::Netns::within($self->{netns}, sub {
        IO::Socket::INET->new(PeerAddr => $self->{listen},
            PeerPort => $self->{port}, Proto => 'tcp', Timeout => 5);
    });
}


sub port      { $_[0]{port} }
sub dir       { $_[0]{dir} }
sub proc      { $_[0]{proc} }
sub error_log { "$_[0]{dir}/logs/error.log" }
sub conf_file { "$_[0]{dir}/nginx.conf" }


# Writes nginx.conf anew, with these options over the ones of before.
sub config {
    my ($self, %opt) = @_;

    %$self = (%$self, %opt);

    my $text = $self->{conf} // $self->_conf;
    my %value = (PORT => $self->{port}, DIR => $self->{dir},
        MODULE => $self->{module} ? load_module() : '');

    $text =~ s/%%(PORT|DIR|MODULE)%%/$value{$1}/g;
    FcfTest::spew($self->conf_file, $text);
    return $self;
}


sub _conf {
    my ($self) = @_;
    my ($main, $events, $http, $server)
        = map { $self->{$_} // '' } qw(main events http server);

    return <<"    EOC";
    %%MODULE%%
    daemon off;
    user root;
    pid logs/nginx.pid;
    error_log logs/error.log $self->{log_level};
    worker_processes $self->{workers};
    $main

    events {
        worker_connections @{[ $self->{connections} // 4096 ]};
        $events
    }

    http {
        access_log logs/access.log;
        client_body_temp_path client_body;
        proxy_temp_path proxy;
        fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi;
        scgi_temp_path scgi;
        $http

        server {
            listen $self->{listen}:%%PORT%%;
            $server
        }
    }
    EOC
}


sub workers {
    my ($self) = @_;
    my $master = $self->{proc}->pid;
    my $children = "/proc/$master/task/$master/children";

    return grep {
        my $title = FcfTest::peek("/proc/$_/cmdline");
        $title =~ /worker process/ && $title !~ /shutting down/;
    } split ' ', FcfTest::slurp($children);
}


sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->workers;

    $self->{proc}->kill('HUP');
    FcfTest::wait_for(sub {
        my @now = $self->workers;
        @now && !grep { $old{$_} } @now;
    }, 20, 'new workers after a reload');

    return $self;
}


sub logged {
    my ($self, $re) = @_;
    return grep { $_ =~ $re } split /\n/, FcfTest::slurp($self->error_log);
}


sub served {
    my ($self, $re, $n) = @_;
    my @lines;

    FcfTest::wait_for(sub {
        @lines = grep { $_ =~ $re }
            split /\n/, FcfTest::peek("$self->{dir}/logs/access.log");
        @lines >= $n;
    }, 10, sub { "$n lines of access.log that match $re: " . @lines });

    return @lines;
}


sub expect_complaint {
    my ($self, $re) = @_;
    push @{ $self->{expected} }, $re;
    return $self;
}


# what must not be in its logs
sub complaints {
    my ($self) = @_;
    my @lines = map { split /\n/, FcfTest::peek($_) }
        $self->error_log, "$self->{dir}/stderr.log";

    my @bad = grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:/ } @lines;

    for my $re (@{ $self->{expected} }) {
        @bad = grep { $_ !~ $re } @bad;
    }

    return @bad;
}


sub stop {
    my ($self, $sig) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ended = $self->{proc}->stop($sig // 'QUIT');
    my @bad = $self->complaints;

    $self->{checked} = 1;
    Test::More::ok($ended && !@bad, "$self->{name}: nothing at alert, "
        . 'no sanitizer report')
        or Test::More::diag(join "\n", @bad[0 .. ($#bad > 9 ? 9 : $#bad)]);

    return $self;
}


# after a stop
sub start_again {
    my ($self) = @_;
    delete $self->{checked};
    $self->_run;
    return $self;
}


# For those that the test did not stop: how many complaints, each shown.
sub complaints_of_all {
    my @bad = map { $_->complaints } grep { !$_->{checked} } @all;

    Test::More::diag("error.log: $_") for @bad;
    return scalar @bad;
}


sub check {
    my ($class, $text) = @_;
    my $dir = FcfTest::tmpdir() . '/check';
    my $module = load_module();

    mkdir $dir;
    mkdir "$dir/logs";
    $text =~ s/%%MODULE%%/$module/g;
    FcfTest::spew("$dir/nginx.conf", $text);

    my $proc = FcfTest::Proc->spawn(name => 'nginx-check',
        log => "$dir/out.log",
        env => { _sanitizers(), ASAN_OPTIONS => 'detect_leaks=0' },
        argv => [binary(), '-t', '-p', "$dir/", '-c', "$dir/nginx.conf",
            '-e', 'stderr']);
    my $status = $proc->wait(30);
    my $out = FcfTest::slurp("$dir/out.log");

    unlink "$dir/out.log";
    return (defined $status && $status == 0, $out);
}

1;
