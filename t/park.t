# A request that finds no instance waits, and goes on when one is there.

BEGIN { push @INC, 't/lib'; }

use Test::Nginx::Socket 'no_plan';
use FcfSuite;

no_root_location();
no_shuffle();

our $config = <<'EOC';
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_park_timeout 5s;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

our $agent = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { return 200 "$http_x_fcfaas_function $request_uri\n"; }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
    $block->set_value('http_config', ($block->http_config // '') . $agent);
});

run_tests();

__DATA__

=== TEST 1: parked, asked for, served
--- etcd
spec("hello");
on_job(sub { instance($_[0]{function_id}) });
--- request
GET /run/hello/a%20b?c=d
--- response_body
hello /a%20b?c=d


=== TEST 2: with a body
--- etcd
spec("hello");
on_job(sub { instance($_[0]{function_id}) });
--- request eval
"POST /run/hello\n" . "x" x 200000
--- response_body
hello /


=== TEST 3: the job says what the spec says
--- etcd
spec("hello", version => 7, cpu => 2, memory_mb => 256);
on_job(sub {
    my ($job) = @_;
    my $good = $job->{function_id} eq "hello" && $job->{cpu} == 2
        && $job->{memory_mb} == 256 && $job->{version} == 7
        && $job->{attempt} == 1 && $job->{request_id} =~ /^req-[0-9a-f]{24}$/
        && redis()->cli("ZSCORE", "{queue:vm_provision}:pending:hello",
                        $job->{request_id});
    instance("hello", version => 7) if $good;
});
--- request
GET /run/hello
--- response_body
hello /


=== TEST 4: one without an image: the reason, at once
--- etcd
spec("hello");
on_job(sub {
    failure("hello", $_[0]{request_id}, error => "no_image",
        message => "hello.img is not there");
});
--- request
GET /run/hello
--- timeout: 1
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_error_details on;
        proxy_pass http://functions$fcfaas_uri;
    }
--- error_code: 502
--- response_headers
X-Fcfaas-Error: no_image
--- response_body_like chomp
"message":"[^"]*hello\.img is not there


=== TEST 5: a transient failure is tried three times
--- etcd
spec("hello");
on_job(sub {
    failure("hello", $_[0]{request_id}, error => "boot_failed",
        message => "attempt $_[0]{attempt}");
});
--- request
GET /run/hello
--- timeout: 4
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_error_details on;
        proxy_pass http://functions$fcfaas_uri;
    }
--- error_code: 502
--- response_headers
X-Fcfaas-Error: boot_failed
--- response_body_like chomp
attempt 3


=== TEST 6: a transient failure, then an instance
--- etcd
spec("hello");
on_job(sub {
    my ($job) = @_;
    $job->{attempt} < 2
        ? failure("hello", $job->{request_id}, error => "not_ready")
        : instance("hello");
});
--- request
GET /run/hello
--- timeout: 4
--- response_body
hello /


=== TEST 7: failures that no client sees
--- etcd
spec("hello");
my $n = 0;
on_job(sub {
    my ($job) = @_;
    my @quiet = qw(expired duplicate at_max);
    $n < 3 ? failure("hello", $job->{request_id}, error => $quiet[$n++])
        : instance("hello");
});
--- request
GET /run/hello
--- timeout: 8
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_park_timeout 10s;
        proxy_pass http://functions$fcfaas_uri;
    }
--- response_body
hello /


=== TEST 8: a draining instance takes nothing
--- etcd
spec("hello");
instance("hello", port => $ENV{TEST_NGINX_AGENT2}, state => "draining");
on_job(sub { instance("hello", worker => "n1-2") });
--- request
GET /run/hello
--- response_body
hello /


=== TEST 9: an instance that cannot be read is none
--- etcd
spec("hello");
etcd()->put("/functions/hello/instances/n1-9", '{"worker_ip":"here"}');
on_job(sub { instance("hello", worker => "n1-2") });
--- request
GET /run/hello
--- response_body
hello /
--- error_log
/functions/hello/instances/n1-9


=== TEST 10: in a named location
--- config
    location / {
        error_page 418 = @function;
        return 418;
    }

    location @function {
        fcfaas hello;
        proxy_pass http://functions$fcfaas_uri;
    }
--- etcd
spec("hello");
on_job(sub { instance("hello") });
--- request
POST /a%20b
text
--- response_body
hello /a%20b


=== TEST 11: one of two ways of access
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        auth_basic closed;
        auth_basic_user_file /no/such/file;
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- etcd
spec("hello");
on_job(sub { instance("hello") });
--- request
GET /run/hello
--- response_body
hello /
