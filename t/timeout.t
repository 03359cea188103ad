# timeout_s of a spec: the limit of a whole request.

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
    $block->set_value('config', $config);
});

run_tests();

__DATA__

=== TEST 1: no answer in time
--- etcd
spec("slow", timeout_s => 1);
instance("slow");
--- tcp_listen eval: $ENV{TEST_NGINX_AGENT}
--- tcp_reply_delay: 2500ms
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
--- request
GET /run/slow
--- timeout: 2
--- error_code: 504
--- response_headers
X-Fcfaas-Error: timeout


=== TEST 2: in time
--- etcd
spec("slow", timeout_s => 3);
instance("slow");
--- tcp_listen eval: $ENV{TEST_NGINX_AGENT}
--- tcp_reply_delay: 1200ms
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
--- request
GET /run/slow
--- response_body
ok
