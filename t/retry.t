# A request that was never sent goes elsewhere, whatever its method.

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
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        add_header X-Attempts $fcfaas_attempts;
    }
EOC

# AGENT2 serves; AGENT refuses with what "unsent" says
our $agent = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT2;
        client_max_body_size 30m;
        location / { return 200 "$request_method $content_length\n"; }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    my $text = ($block->http_config // '') . $agent;

    if (defined(my $why = $block->unsent)) {
        $text .= <<"        EOC";
    server {
        listen 127.0.0.1:\$TEST_NGINX_AGENT;
        client_max_body_size 30m;
        location / {
            add_header X-Fcfaas-Unsent $why always;
            return 503;
        }
    }
        EOC
    }

    $block->set_value('http_config', $text);
    $block->set_value('config', $config) unless defined $block->config;
});

our $both = 'spec("hello"); instance("hello");'
    . 'instance("hello", worker => "n1-2", port => $ENV{TEST_NGINX_AGENT2});';

add_block_preprocessor(sub {
    my ($block) = @_;
    etcd_default($block, $both);
});

run_tests();

__DATA__

=== TEST 1: draining: ten requests, all elsewhere
--- unsent chomp
draining
--- request eval
[("GET /run/hello") x 10]
--- response_body eval
[("GET \n") x 10]


=== TEST 2: POST is sent again too
--- unsent chomp
busy
--- request eval
[("POST /run/hello\n" . "x" x 100000) x 10]
--- response_body eval
[("POST 100000\n") x 10]


=== TEST 3: the wrong function
--- unsent chomp
wrong-function
--- request eval
[("POST /run/hello\nabc") x 10]
--- response_body eval
[("POST 3\n") x 10]


=== TEST 4: gone
--- unsent chomp
gone
--- request eval
[("GET /run/hello") x 10]
--- response_body eval
[("GET \n") x 10]


=== TEST 5: a refused connection, with another instance
--- request eval
[("POST /run/hello\nabc") x 10]
--- response_body eval
[("POST 3\n") x 10]


=== TEST 6: a refused connection, and no other: a new one is asked for
--- etcd
spec("hello");
instance("hello");
on_job(sub {
    instance("hello", worker => "n1-2", port => $ENV{TEST_NGINX_AGENT2});
});
--- request eval
"POST /run/hello\n" . "x" x 100000
--- timeout: 8
--- response_body
POST 100000


=== TEST 7: the only instance says that it is draining: a new one
--- unsent chomp
draining
--- etcd
spec("hello");
instance("hello");
on_job(sub {
    instance("hello", worker => "n1-2", port => $ENV{TEST_NGINX_AGENT2});
});
--- request
POST /run/hello
abc
--- timeout: 8
--- response_body
POST 3


=== TEST 8: a 503 of the function's own is the client's
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { return 503 "mine\n"; }
    }
--- etcd
spec("hello");
instance("hello");
--- request
GET /run/hello
--- error_code: 503
--- response_body
mine


=== TEST 9: a streamed body cannot be sent again
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_request_buffering off;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
    }
--- unsent chomp
draining
--- etcd
spec("hello");
instance("hello");
--- request eval
"POST /run/hello\n" . "x" x 100000
--- error_code: 503
--- response_headers
!X-Fcfaas-Unsent
--- response_headers_like
Retry-After: \d+


=== TEST 10: all that were tried have their own name
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
        add_header X-Tried $upstream_addr;
    }
--- unsent chomp
draining
--- etcd
spec("hello");
instance("hello");
on_job(sub {
    instance("hello", worker => "n1-2", port => $ENV{TEST_NGINX_AGENT2});
});
--- request
GET /run/hello
--- timeout: 8
--- response_headers_like eval
"X-Tried: 127\\.0\\.0\\.1:$ENV{TEST_NGINX_AGENT}\\b.*[,:]"
. " 127\\.0\\.0\\.1:$ENV{TEST_NGINX_AGENT2}"
