# Subrequests: they wait in the balancer, with a path of their own.

BEGIN { push @INC, 't/lib'; }

use Test::Nginx::Socket 'no_plan';
use FcfSuite;

no_root_location();
no_shuffle();

our $config = <<'EOC';
    location /guarded {
        auth_request /run/guard;
        proxy_pass http://127.0.0.1:$TEST_NGINX_AGENT;
    }

    location /mixed {
        ssi on;
        default_type text/html;
        proxy_pass http://127.0.0.1:$TEST_NGINX_AGENT/ssi;
        ssi_types *;
    }

    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

our $agent = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / {
            return 200 "agent $http_x_fcfaas_function $request_uri\n";
        }
        location /check { return 204; }
        location /ssi {
            return 200 '<!--#include virtual="/run/guard" -->';
        }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
    $block->set_value('http_config', ($block->http_config // '') . $agent)
        unless ($block->http_config // '') =~ /TEST_NGINX_AGENT;/;
});

run_tests();

__DATA__

=== TEST 1: a warm one answers
--- etcd
spec("guard"); instance("guard");
--- request
GET /guarded
--- response_body
agent  /guarded


=== TEST 2: a cold one is started, and the request waits for it
--- etcd
spec("guard");
on_job(sub { instance("guard") });
--- request
GET /guarded
--- response_body
agent  /guarded
--- timeout: 5


=== TEST 3: a page made of a function's answer
--- etcd
spec("guard"); instance("guard");
--- request
GET /mixed
--- response_body
agent guard /


=== TEST 4: a subrequest's path is its own, and the parent's stays the parent's
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }

    location ~ ^/page/(?<function_id>[^/]+) {
        auth_request /run/guard/check/this?a=1;
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
        add_header X-Function $fcfaas_function_id;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / {
            return 200 "agent $http_x_fcfaas_function $request_uri\n";
        }
        location /check/ { access_log logs/check.log; return 204; }
        location /other { return 403; }
    }
--- etcd
spec("guard"); instance("guard"); spec("hello"); instance("hello");
--- request eval
["GET /page/hello/a%20b?c", "GET /page/hello/other"]
--- error_code eval
[200, 403]
--- response_body_like eval
["^agent hello /a%20b[?]c\$", ".*"]


=== TEST 5: two includes at once
--- config
    location = /both {
        ssi on;
        ssi_types *;
        proxy_pass http://127.0.0.1:$TEST_NGINX_AGENT/ssi;
    }

    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / {
            return 200 "$http_x_fcfaas_function $request_uri,";
        }
        location /ssi {
            return 200 '<!--#include virtual="/run/guard/a%20b?x" --><!--#include virtual="/run/hello/c" -->';
        }
    }
--- etcd
spec("guard"); instance("guard"); spec("hello"); instance("hello");
--- request
GET /both
--- response_body chomp
guard /a%20b?x,hello /c,


=== TEST 6: a subrequest that waited in vain is what nginx makes of its status
--- config
    location /guarded {
        auth_request /run/guard;
        proxy_pass http://127.0.0.1:$TEST_NGINX_AGENT;
    }
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_park_timeout 1s;
        proxy_pass http://functions$fcfaas_uri;
    }
--- etcd
spec("guard");
--- request eval
["GET /guarded", "GET /guarded"]
--- error_code eval
[500, 500]
--- timeout: 5


=== TEST 7: an unknown function in a subrequest does not wait
--- request
GET /guarded
--- etcd
spec("other");
--- timeout: 1
--- error_code: 500
