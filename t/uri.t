# $fcfaas_uri: the rest of the client's own request line, undecoded.

BEGIN { push @INC, 't/lib'; }

use Test::Nginx::Socket 'no_plan';
use FcfSuite;

no_root_location();
no_shuffle();

our $config = <<'EOC';
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

our $agent = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { return 200 "$request_method $request_uri\n"; }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
    $block->set_value('http_config', $block->http_config . $agent);
    etcd_default($block, 'spec("echo"); instance("echo");');
});

run_tests();

__DATA__

=== TEST 1: escapes, a question mark among them, stay as they are
--- request
GET /run/echo/a%20b%3Fc/%25?x=1
--- response_body
GET /a%20b%3Fc/%25?x=1


=== TEST 2: nothing behind the name
--- request
GET /run/echo
--- response_body
GET /


=== TEST 3: only arguments behind the name
--- request
GET /run/echo?x=1&y=%20
--- response_body
GET /?x=1&y=%20


=== TEST 4: only a slash
--- request
GET /run/echo/
--- response_body
GET /


=== TEST 5: an escaped CR and LF stay escaped
--- request
GET /run/echo/x%20HTTP/1.1%0d%0aFoo:bar
--- response_body
GET /x%20HTTP/1.1%0d%0aFoo:bar


=== TEST 6: slashes and dots in the rest are the function's business
--- request
GET /run/echo/a//b/./c
--- response_body
GET /a//b/./c


=== TEST 7: an escaped letter in the name
--- request
GET /run/%65cho/x
--- response_body
GET /x


=== TEST 8: an absolute request line
--- raw_request eval
"GET http://localhost/run/echo/abs?q HTTP/1.1\r\nHost: localhost\r\n"
. "Connection: close\r\n\r\n"
--- response_body
GET /abs?q


=== TEST 9: an empty query
--- request
GET /run/echo/x?
--- response_body
GET /x?


=== TEST 10: a rewritten request has the rest of its new URI
--- config
    location /short {
        rewrite ^/short/(.*)$ /run/echo/$1 last;
    }

    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request
GET /short/y?z=1
--- response_body_like: ^GET /\S*


=== TEST 11: a CR in the request line never reaches the function
--- raw_request eval
"GET /run/echo/x\rFoo:bar HTTP/1.1\r\nHost: localhost\r\n"
. "Connection: close\r\n\r\n"
--- error_code: 400


=== TEST 12: a method other than GET
--- request
DELETE /run/echo/thing?id=1
--- response_body
DELETE /thing?id=1
