# fcfaas_status

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

    location = /status { fcfaas_status; }
EOC

our $agent = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { return 200 "ok\n"; }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config);
    $block->set_value('http_config', ($block->http_config // '') . $agent);
});

run_tests();

__DATA__

=== TEST 1: what is counted
--- etcd
spec("hello"); instance("hello");
--- request eval
["GET /run/hello", "GET /run/hello", "GET /run/nobody", "GET /run/BAD",
 "GET /status"]
--- error_code eval
[200, 200, 404, 400, 200]
--- response_body_like eval
["ok", "ok", "", "",
 '(?=.*"parked": ?0)(?=.*"warm": ?2)(?=.*"passed": ?2)(?=.*"404": ?1)'
 . '(?=.*"400": ?1)']


=== TEST 2: it is JSON
--- request
GET /status
--- response_headers
Content-Type: application/json


=== TEST 3: the zone and the workers
--- etcd
spec("hello"); instance("hello");
--- request eval
["GET /run/hello", "GET /status"]
--- response_body_like eval
["ok",
 '(?=.*"zone":\{"size":1048576,"epoch":\d+,"members":\d+,"unsettled":0,'
 . '"waiting":0,"instances":\{"used":1,"free":\d+\},'
 . '"pools":\{"used":1,"free":\d+\},"ledgers":\{"used":0,"free":\d+\},'
 . '"waits":\{"used":0,"free":\d+\}\})'
 . '(?=.*"workers":\[\{"pid":\d+,"worker":0,"parked":0,"parked_bytes":0,'
 . '"busy":0,"alone":false,"silent_ms":\d+,"functions":1,"specs":1,'
 . '"instances":1,"etcd":\{"state":"\w+","healthy":true,)']


=== TEST 4: only GET and HEAD
--- request
POST /status
x
--- error_code: 405
