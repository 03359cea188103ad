# Subrequests do not wait.

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
        location / { return 200 "agent $http_x_fcfaas_function\n"; }
        location /ssi {
            return 200 '<!--#include virtual="/run/guard" -->';
        }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config);
    $block->set_value('http_config', $block->http_config . $agent);
});

run_tests();

__DATA__

=== TEST 1: a warm one answers
--- etcd
spec("guard"); instance("guard");
--- request
GET /guarded
--- response_body
agent 


=== TEST 2: a cold one is a 500 of auth_request, at once
--- etcd
spec("guard");
--- request
GET /guarded
--- timeout: 1
--- error_code: 500


=== TEST 3: a page made of a function's answer
--- etcd
spec("guard"); instance("guard");
--- request
GET /mixed
--- response_body
agent guard
