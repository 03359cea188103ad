package Test::Nginx::Server;

# The nginx of one block of Test::Nginx::Socket: its configuration, start and
# end.  With TEST_NGINX_USE_HUP one nginx serves all blocks of a file, reloaded
# between them; its old workers must leave.

use strict;
use warnings;

use FcfTest ();
use FcfTest::Nginx;
use File::Path qw(make_path remove_tree);


sub new {
    my ($class) = @_;

    return bless {
        root_location => 1,
        master      => 'off',
        workers     => 1,
        connections => 1024,
        log_level   => $ENV{TEST_NGINX_LOG_LEVEL} // 'debug',
        timeout     => $ENV{TEST_NGINX_TIMEOUT} // 3,
        port        => $ENV{TEST_NGINX_PORT} // FcfTest::free_port(),
        root        => $ENV{TEST_NGINX_SERVROOT}
                       // FcfTest::tmpdir() . '/servroot',
        env         => [],
        hup         => $ENV{TEST_NGINX_USE_HUP},
    }, $class;
}


sub expand {
    my ($self, $text) = @_;

    $text =~ s/\$TEST_NGINX_HTML_DIR/$self->{root}\/html/g;
    $text =~ s/\$TEST_NGINX_SERVER_ROOT/$self->{root}/g;
    $text =~ s/\$(?:TEST_NGINX_SERVER_PORT|ServerPort)\b/$self->{port}/g;
    $text =~ s{\$(TEST_NGINX_\w+)}{
        $ENV{$1} // die "\$$1 is not in the environment\n";
    }ge;

    return $text;
}


# true once it listens, false if it refused
sub start {
    my ($self, $block) = @_;
    my $root = $self->{root};

    return $self->_reload($block) if $self->{proc};

    $self->{master} = 'on' if $self->{hup};
    remove_tree($root, { keep_root => 1 });
    make_path("$root/$_") for qw(logs conf html client_body_temp);
    $self->_user_files($block);
    FcfTest::spew("$root/conf/nginx.conf", $self->_conf($block));

    my $proc = FcfTest::Proc->spawn(name => 'nginx',
        log  => "$root/logs/stderr.log",
        env  => { FcfTest::Nginx::_sanitizers() },
        argv => [FcfTest::Nginx::binary(), '-p', "$root/",
            '-c', "$root/conf/nginx.conf", '-e', "$root/logs/error.log"]);

    FcfTest::show_log_on_failure("$root/logs/error.log", 0);
    $self->{proc} = $proc;

    FcfTest::wait_for(sub {
        !$proc->alive || IO::Socket::INET->new(
            PeerAddr => "127.0.0.1:$self->{port}", Timeout => 5);
    }, 20, 'nginx to listen');

    return $proc->alive;
}


sub _workers {
    my ($self) = @_;
    my $master = $self->{proc}->pid;
    my $children = "/proc/$master/task/$master/children";

    return split ' ', FcfTest::peek($children);
}


sub _reload {
    my ($self, $block) = @_;
    my $root = $self->{root};
    my %old = map { $_ => 1 } $self->_workers;

    remove_tree("$root/html", { keep_root => 1 });
    $self->_user_files($block);
    FcfTest::spew("$root/conf/nginx.conf", $self->_conf($block));
    FcfTest::spew("$root/logs/$_", '') for 'error.log', 'stderr.log';

    $self->{proc}->kill('HUP');

    # a worker that has no port any more is on its way out
    return FcfTest::wait_for(sub {
        my @now = $self->_workers;
        return !$self->{proc}->alive
            || (@now && !grep { $old{$_} } @now)
            || $self->error_log_text =~ /\[emerg\]/;
    }, 20, 'the workers of before to leave')
        && $self->{proc}->alive && $self->error_log_text !~ /\[emerg\]/;
}


# one that is reloaded goes on, unless $end
sub stop {
    my ($self, $end) = @_;

    return if $self->{hup} && !$end;

    my $proc = delete $self->{proc} or return;
    $proc->stop('QUIT');
}


sub error_log_text {
    my ($self) = @_;

    return join '', map { FcfTest::peek($_) }
        map { "$self->{root}/logs/$_" } 'error.log', 'stderr.log';
}


sub _user_files {
    my ($self, $block) = @_;
    my $text = $block->user_files // return;

    while ($text =~ /^>>>[ \t]*(\S+)[^\n]*\n(.*?)(?=^>>>|\z)/msg) {
        my ($name, $content) = ($1, $2);
        my $path = "$self->{root}/html/$name";

        make_path($path =~ s{/[^/]*\z}{}r);
        FcfTest::spew($path, $content);
    }
}


sub _conf {
    my ($self, $block) = @_;
    my %text = map { $_ => $self->expand($block->$_ // '') }
        qw(config http_config main_config post_main_config);
    my $load = join "\n", map { "load_module $_;" }
        split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $env = join "\n", map { "env $_;" } @{ $self->{env} };
    my $level = $block->log_level // $self->{log_level};
    my $name = $block->server_name // 'localhost';
    my $root = $self->{root_location}
        ? 'location / { root html; index index.html; }' : '';

    chomp $level;
    chomp $name;

    return <<"    EOC";
    $load
    daemon off;
    user root;
    master_process $self->{master};
    worker_processes $self->{workers};
    pid logs/nginx.pid;
    error_log logs/error.log $level;
    $env
    $text{main_config}

    http {
        access_log logs/access.log;
        client_body_temp_path client_body_temp;
        proxy_temp_path proxy_temp;
        fastcgi_temp_path fastcgi_temp;
        uwsgi_temp_path uwsgi_temp;
        scgi_temp_path scgi_temp;
        default_type text/plain;
        keepalive_timeout 68;

        $text{http_config}

        server {
            listen $self->{port};
            server_name $name;

            client_max_body_size 30M;

            $text{config}
            $root
        }
    }

    $text{post_main_config}

    events {
        worker_connections $self->{connections};
    }
    EOC
}

1;
