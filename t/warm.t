# A function with an instance: what its agent is sent, and what it is not.

BEGIN { push @INC, 't/lib'; }

use Test::Nginx::Socket 'no_plan';
use FcfSuite;

no_root_location();
no_shuffle();

our $config = <<'EOC';
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
EOC

our $agent = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;

        location / {
            set $fcfaas "$http_x_fcfaas_function|$http_x_fcfaas_token";
            return 200 "$fcfaas|$http_x_fcfaas_unsent|$http_x_mine\n";
        }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
    $block->set_value('http_config', ($block->http_config // '') . $agent);
    etcd_default($block, 'spec("hello"); instance("hello");');
});

run_tests();

__DATA__

=== TEST 1: the function's name and the token are sent
--- request
GET /run/hello
--- response_body
hello|secret||


=== TEST 2: a client cannot send X-Fcfaas-* itself
--- request
GET /run/hello
--- more_headers
X-Fcfaas-Function: other
X-Fcfaas-Token: guessed
X-Fcfaas-Unsent: busy
x-fcfaas-anything: 1
X-Mine: stays
--- response_body
hello|secret||stays


=== TEST 3: POST
--- request
POST /run/hello
some text
--- response_body
hello|secret||


=== TEST 4: HEAD
--- request
HEAD /run/hello
--- response_body


=== TEST 5: the variables
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
        add_header X-Seen "$fcfaas_function_id $fcfaas_start $fcfaas_attempts";
        add_header X-Instance "$fcfaas_instance";
        add_header X-Id "$fcfaas_request_id";
        add_header X-Wait "$fcfaas_wait";
    }
--- request eval
["GET /run/hello", "GET /run/hello"]
--- response_headers_like eval
["X-Wait: .*",
 "X-Seen: hello warm 1\nX-Instance: 127\\.0\\.0\\.1:\\d+\n"
 . "X-Id: [A-Za-z0-9._-]{1,64}\nX-Wait: 0\\.000\n"]


=== TEST 6: a fixed name
--- config
    location /always {
        fcfaas hello;
        proxy_pass http://functions$request_uri;
    }
--- request
GET /always
--- response_body
hello|secret||


=== TEST 7: two functions on one port are told apart
--- etcd
spec("hello"); instance("hello"); spec("other"); instance("other");
--- request eval
["GET /run/hello", "GET /run/other", "GET /run/hello"]
--- response_body eval
["hello|secret||\n", "other|secret||\n", "hello|secret||\n"]


=== TEST 8: access rules come before the function
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        deny all;
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request
GET /run/hello
--- error_code: 403
