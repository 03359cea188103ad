package FcfSuite;

# What t/*.t share, under the real Test::Nginx::Socket or our stand-in:
#
#   BEGIN { push @INC, 't/lib'; }
#   use Test::Nginx::Socket 'no_plan';
#   use FcfSuite;
#
# One etcd and one Redis for the file, emptied before each block.  Every block's
# http_config begins with
#
#   fcfaas_etcd, fcfaas_redis, fcfaas_zone, fcfaas_token_file (token "secret")
#   upstream functions { fcfaas; keepalive 16; }
#
# unless it has a section "bare".  Ports for instances, listening nowhere by
# themselves: $TEST_NGINX_AGENT and $TEST_NGINX_AGENT2.  A block whose
# no_error_log says nothing gets [alert] and [emerg].
#
# In "--- etcd" a block says, in Perl that runs before nginx starts ("init"
# runs after), what is in etcd and how its jobs end:
#
#   spec('hello', concurrency => 2);                # /specs/hello
#   instance('hello', port => $ENV{TEST_NGINX_AGENT}, worker => 'n1-1', ...);
#   failure('hello', 'req-1', error => 'no_image', message => 'not here');
#   on_job(sub { my ($job) = @_; ... });
#       # in a child, for each job that comes to the queue, right end first;
#       # it may call the three above; the jobs are kept: jobs()
#
# etcd_default($block, $code), in a preprocessor: for blocks without "etcd".
# etcd() and redis() are the FcfTest objects.

use strict;
use warnings;

use Exporter qw(import);
use FcfTest ();
use POSIX qw(_exit);

our @EXPORT = qw(spec instance failure on_job jobs etcd redis etcd_default);

my ($etcd, $redis, $listener);
my $seen = 'test:jobs';         # Redis list of the jobs that on_job took


sub etcd  { $etcd }
sub redis { $redis }


sub _services {
    $etcd = FcfTest::Etcd->start;
    $redis = FcfTest::Redis->start;

    $ENV{TEST_NGINX_ETCD}  = '127.0.0.1:' . $etcd->port;
    $ENV{TEST_NGINX_REDIS} = $redis->addr;
    $ENV{TEST_NGINX_AGENT}  //= FcfTest::free_port();
    $ENV{TEST_NGINX_AGENT2} //= FcfTest::free_port();

    # readable by whatever user the workers run as
    chmod 0755, FcfTest::tmpdir();
    $ENV{TEST_NGINX_TOKEN_FILE} =
        FcfTest::spew(FcfTest::tmpdir() . '/token', "secret\n");
}


my $http = <<'EOC';
    fcfaas_etcd http://$TEST_NGINX_ETCD;
    fcfaas_redis $TEST_NGINX_REDIS;
    fcfaas_zone fcfaas 1m;
    fcfaas_token_file $TEST_NGINX_TOKEN_FILE;

    upstream functions {
        fcfaas;
        keepalive 16;
    }
EOC


# The stand-in takes nginx with sanitizers where there is one, which has the
# module built in; the real Test::Nginx takes what TEST_NGINX_BINARY says.
sub _load_module {
    return '' if $ENV{TEST_NGINX_LOAD_MODULES};
    return FcfTest::Nginx::load_module() . "\n"
        if $INC{'Test/Nginx/Server.pm'};

    return FcfRun::Nginx::load_modules() . "\n";
}


sub _prepare {
    my ($block) = @_;

    _end_listener();
    $etcd->del_prefix($_) for '/specs/', '/functions/', '/workers/';
    $redis->cli('FLUSHALL');

    $block->set_value('prepared', 1);
    _run($block, $block->etcd) if defined $block->etcd;

    $block->set_value('main_config',
        _load_module() . ($block->main_config // ''));

    if (!defined $block->bare) {
        $block->set_value('http_config', $http . ($block->http_config // ''));
    }

    # under HTTP/2 and 3 the real one calls curl, which would take dots away
    if (!defined $block->curl_options) {
        $block->set_value('curl_options', '--path-as-is');
    }

    if (!defined $block->no_error_log) {
        $block->set_value('no_error_log', "[alert]\n[emerg]\n");
    }
}


sub _run {
    my ($block, $code) = @_;

    eval "package main; $code; 1"
        or die $block->name . " - etcd: $@";
}

# The real Test::Nginx calls the last preprocessor first, the stand-in the
# first one: _prepare() may have been here, or not.
sub etcd_default {
    my ($block, $code) = @_;

    return if defined $block->etcd;

    $block->set_value('etcd', $code);
    _run($block, $code) if defined $block->prepared;
}


sub spec { $etcd->spec(@_) }

# as agents do it: the job is no longer pending, then the reason
sub failure {
    my ($function_id, $request_id, %failure) = @_;

    $redis->cli('ZREM', "{queue:vm_provision}:pending:$function_id",
        $request_id);
    $etcd->failure($function_id, $request_id, %failure);
}

sub instance {
    my ($function_id, %opt) = @_;
    $etcd->instance($function_id, port => $ENV{TEST_NGINX_AGENT}, %opt);
}


sub on_job {
    my ($code) = @_;

    $listener = fork // die "fork: $!";
    return if $listener;

    $SIG{TERM} = 'DEFAULT';
    delete $redis->{sock};              # the parent's connection

    eval {
        while (1) {
            my $got = $redis->cli('BRPOP', 'queue:vm_provision', 0);
            my $job = FcfTest::json_decode($got->[1]);

            $redis->cli('RPUSH', $seen, $got->[1]);
            $code->($job);
        }
    };

    print STDERR "on_job: $@";
    _exit(1);
}


sub _end_listener {
    return unless $listener;

    kill 'TERM', $listener;
    waitpid $listener, 0;
    undef $listener;
}


# the jobs that came so far, taken or not, oldest first, decoded
sub jobs {
    return map { FcfTest::json_decode($_) }
        @{ $redis->cli('LRANGE', $seen, 0, -1) },
        reverse @{ $redis->cli('LRANGE', 'queue:vm_provision', 0, -1) };
}


_services();
main::add_block_preprocessor(\&_prepare);

END {
    my $status = $?;
    _end_listener();
    $? = $status;
}

1;
