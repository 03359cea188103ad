# What a function may not do: steer nginx by X-Accel-* in its answers.

BEGIN { push @INC, 't/lib'; }

use Test::Nginx::Socket 'no_plan';
use FcfSuite;

no_root_location();
no_shuffle();

our $agent = <<'EOC';
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=cache:1m;
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location /redirect { add_header X-Accel-Redirect /inside; return 200 "function\n"; }
        location /named { add_header X-Accel-Redirect @inside; return 200 "function\n"; }
        location /rate { add_header X-Accel-Limit-Rate 1; return 200 "function\n"; }
        location /charset { add_header X-Accel-Charset koi8-r; return 200 "function\n"; }
        location /expires { add_header X-Accel-Expires 60; return 200 "$connection_requests\n"; }
        location /cached {
            add_header X-Accel-Redirect /inside;
            add_header Cache-Control max-age=60;
            return 200 "function\n";
        }
    }
EOC

our $config = <<'EOC';
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        add_header X-Rate $limit_rate;
    }
    location ~ ^/if/(?<f_if>[^/]+) {
        fcfaas $f_if;
        if ($request_method = GET) {
            proxy_pass http://functions$fcfaas_uri;
        }
    }
    location ~ ^/cache/(?<f_cache>[^/]+) {
        fcfaas $f_cache;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_cache cache;
        proxy_cache_key $uri;
        add_header X-Cache $upstream_cache_status;
    }
    location /inside { internal; return 200 "inside\n"; }
    location @inside { return 200 "inside\n"; }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
    etcd_default($block, 'spec("hello"); instance("hello");');
});

run_tests();

__DATA__

=== TEST 1: to another location
--- http_config eval: $::agent
--- request eval
["GET /run/hello/redirect", "GET /run/hello/named", "GET /if/hello/redirect"]
--- response_body eval
["function\n", "function\n", "function\n"]
--- response_headers eval
[("!X-Accel-Redirect") x 3]


=== TEST 2: not out of a cache either
--- http_config eval: $::agent
--- request eval
["GET /cache/hello/cached", "GET /cache/hello/cached"]
--- response_body eval
["function\n", "function\n"]
--- response_headers eval
["X-Cache: MISS", "X-Cache: HIT"]


=== TEST 3: how fast it is sent
--- http_config eval: $::agent
--- request
GET /run/hello/rate
--- response_headers
X-Rate: 0
!X-Accel-Limit-Rate
--- response_body
function


=== TEST 4: its character set
--- http_config eval: $::agent
--- request
GET /run/hello/charset
--- response_headers
Content-Type: text/plain
!X-Accel-Charset


=== TEST 5: whether it is cached
--- http_config eval: $::agent
--- request eval
["GET /cache/hello/expires", "GET /cache/hello/expires"]
--- response_headers eval
["X-Cache: MISS\n!X-Accel-Expires", "X-Cache: MISS\n!X-Accel-Expires"]
