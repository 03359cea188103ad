# timeout_s of a spec: the limit of a whole request; and answers that need no
# function.

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
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
});

run_tests();

__DATA__

=== TEST 1: no answer in time
--- etcd
spec("slow", timeout_s => 1);
instance("slow");
--- tcp_listen eval: $ENV{TEST_NGINX_AGENT}
--- tcp_reply_delay: 6000ms
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
--- request
GET /run/slow
--- timeout: 12
--- error_code: 504
--- response_headers
X-Fcfaas-Error: timeout


=== TEST 2: in time
--- etcd
spec("slow", timeout_s => 20);
instance("slow");
--- tcp_listen eval: $ENV{TEST_NGINX_AGENT}
--- tcp_reply_delay: 1200ms
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
--- request
GET /run/slow
--- timeout: 15
--- response_body
ok


=== TEST 3: longer than nginx's own timeouts
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_read_timeout 1s;
        proxy_send_timeout 1s;
        proxy_pass http://functions$fcfaas_uri;
    }
--- etcd
spec("slow", timeout_s => 30);
instance("slow");
--- tcp_listen eval: $ENV{TEST_NGINX_AGENT}
--- tcp_reply_delay: 2500ms
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
--- request
GET /run/slow
--- timeout: 15
--- response_body
ok


=== TEST 4: without one nginx's timeouts hold, and it is called once
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_read_timeout 1s;
        proxy_pass http://functions$fcfaas_uri;
        add_header X-Attempts $fcfaas_attempts always;
    }
    location /never {
        fcfaas never;
        fcfaas_declared off;
        proxy_pass http://functions;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        listen 127.0.0.1:$TEST_NGINX_AGENT2;
        location / {
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/never;
        }
    }
--- etcd
spec("slow");
instance("slow");
instance("slow", worker => "n1-2", port => $ENV{TEST_NGINX_AGENT2});
--- request
GET /run/slow
--- timeout: 15
--- error_code: 504
--- response_headers
X-Fcfaas-Error: timeout
X-Attempts: 1


=== TEST 5: what is cached needs no instance, and starts none
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=cache:1m;
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { add_header Cache-Control max-age=60; return 200 "made\n"; }
    }
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_cache cache;
        proxy_cache_key $uri;
        proxy_pass http://functions$fcfaas_uri;
        add_header X-Cache $upstream_cache_status;
    }
    location = /drop {
        # the instance of "page", draining
        proxy_pass http://$TEST_NGINX_ETCD/v3/kv/put;
        proxy_method POST;
        proxy_set_body '{"key":"L2Z1bmN0aW9ucy9wYWdlL2luc3RhbmNlcy9uMS0x","value":"eyJ3b3JrZXJfaXAiOiIxMjcuMC4wLjEiLCJwcm94eV9wb3J0IjoxLCJpbnRlcm5hbF92bV9pcCI6IjE3Mi4xNi4wLjIiLCJzdGF0ZSI6ImRyYWluaW5nIn0="}';
    }
--- etcd
spec("page"); instance("page");
--- request eval
["GET /run/page/x", "GET /drop", "GET /run/page/x"]
--- response_body_like eval
["^made\$", ".*", "^made\$"]
--- response_headers_like eval
["X-Cache: MISS", "", "X-Cache: HIT"]
--- timeout: 10


=== TEST 6: a stale answer where there is no instance
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/stale keys_zone=stale:1m;
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { add_header Cache-Control max-age=1; return 200 "made\n"; }
    }
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_park_timeout 1s;
        proxy_cache stale;
        proxy_cache_key $uri;
        proxy_cache_use_stale error timeout;
        proxy_pass http://functions$fcfaas_uri;
        add_header X-Cache $upstream_cache_status;
    }
    location = /drop {
        # the instance of "page", draining
        proxy_pass http://$TEST_NGINX_ETCD/v3/kv/put;
        proxy_method POST;
        proxy_set_body '{"key":"L2Z1bmN0aW9ucy9wYWdlL2luc3RhbmNlcy9uMS0x","value":"eyJ3b3JrZXJfaXAiOiIxMjcuMC4wLjEiLCJwcm94eV9wb3J0IjoxLCJpbnRlcm5hbF92bV9pcCI6IjE3Mi4xNi4wLjIiLCJzdGF0ZSI6ImRyYWluaW5nIn0="}';
    }
    location = /later { fcfaas nobody; fcfaas_declared off;
        fcfaas_park_timeout 2500ms; proxy_pass http://functions; }
--- etcd
spec("page"); instance("page");
--- request eval
["GET /run/page/x", "GET /drop", "GET /later", "GET /run/page/x"]
--- response_body_like eval
["^made\$", ".*", "not_taken", "^made\$"]
--- response_headers_like eval
["X-Cache: MISS", "", "", "X-Cache: STALE"]
--- error_code eval
[200, 200, 503, 200]
--- timeout: 15
