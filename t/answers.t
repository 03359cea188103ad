# The gateway's own answers: status, X-Fcfaas-Error and the JSON body.

BEGIN { push @INC, 't/lib'; }

use Test::Nginx::Socket 'no_plan';
use FcfSuite;

no_root_location();
no_shuffle();

# who comes before etcd's list waits for that as long as for anything else: so
# where the wait is short, "nobody", who is known to be none once it has come,
# is asked for first
our $config = <<'EOC';
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }

    location ~ ^/short/(?<short>[^/]+) {
        fcfaas $short;
        fcfaas_park_timeout 300ms;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
});

run_tests();

__DATA__

=== TEST 1: bad names
--- request eval
["GET /run/Hello", "GET /run/-a", "GET /run/a-", "GET /run/a..b",
 "GET /run/" . "x" x 65, "GET /run/a%00b", "GET /run/a%0ab",
 "GET /run/%c3%a9", "GET /run/a*b", "POST /run/A\nbody"]
--- error_code eval
[(400) x 10]


=== TEST 2: what a bad name's answer looks like
--- request
GET /run/No
--- error_code: 400
--- response_headers
Content-Type: application/json
X-Fcfaas-Error: bad_name
--- response_body_like chomp
^\{"error":"bad_name","message":".*","function_id":"No","request_id":"[\w.-]+"\}$


=== TEST 3: the name comes back escaped
--- request
GET /run/a%22b%5c
--- error_code: 400
--- response_body_like chomp
"function_id":"a\\"b\\\\"


=== TEST 4: undeclared
--- request
GET /run/nobody
--- error_code: 404
--- response_headers
X-Fcfaas-Error: unknown_function
--- response_body_like chomp
^\{"error":"unknown_function",.*"function_id":"nobody"


=== TEST 5: undeclared, with a body
--- request
POST /run/nobody
some text
--- error_code: 404
--- response_headers
X-Fcfaas-Error: unknown_function


=== TEST 6: a spec that cannot be read declares nothing
--- etcd
etcd()->put("/specs/broken", "{not json");
--- request
GET /run/broken
--- error_code: 404
--- error_log
/specs/broken


=== TEST 7: nobody takes the job
--- etcd
spec("hello");
--- request eval
["GET /run/nobody", "GET /short/hello"]
--- error_code eval
[404, 503]
--- response_headers eval
["X-Fcfaas-Error: unknown_function", "X-Fcfaas-Error: not_taken"]
--- response_headers_like eval
["", "Retry-After: \\d+"]


=== TEST 8: somebody is at it, but not in time
--- etcd
spec("hello");
etcd()->put("/functions/hello/slots/0", { worker_id => "n1-1", version => 1 });
--- request eval
["GET /run/nobody", "GET /short/hello"]
--- error_code eval
[404, 504]
--- response_headers eval
["X-Fcfaas-Error: unknown_function", "X-Fcfaas-Error: park_timeout"]


=== TEST 9: error_page replaces it
--- config
    error_page 404 /mine;
    location = /mine { return 404 "mine\n"; }

    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request
GET /run/nobody
--- error_code: 404
--- response_headers
!X-Fcfaas-Error
--- response_body
mine


=== TEST 10: error_page to a named location, from a parked request
--- etcd
spec("hello");
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_park_timeout 200ms;
        error_page 503 504 = @later;
        proxy_pass http://functions$fcfaas_uri;
    }

    location @later { return 202 "later\n"; }
    location = /nobody { fcfaas nobody; proxy_pass http://functions; }
--- request eval
["GET /nobody", "GET /run/hello"]
--- error_code eval
[404, 202]
--- response_body_like eval
["unknown_function", "^later\$"]


=== TEST 11: fcfaas_declared off asks for what nobody declared
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_declared off;
        fcfaas_cpu 2;
        fcfaas_memory 256;
        fcfaas_park_timeout 300ms;
        proxy_pass http://functions$fcfaas_uri;
    }

    location = /nobody { fcfaas nobody; proxy_pass http://functions; }
--- request eval
["GET /nobody", "GET /run/surprise"]
--- error_code eval
[404, 503]
--- response_headers eval
["X-Fcfaas-Error: unknown_function", "X-Fcfaas-Error: not_taken"]


=== TEST 12: an upstream of functions, from a location without one
--- config
    location /plain { proxy_pass http://functions; }
--- request
GET /plain
--- error_code: 500
--- error_log
upstream "functions" is for locations with "fcfaas" only


=== TEST 13: error_page leads to a location that does the same
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        error_page 404 /plain;
        proxy_pass http://functions$fcfaas_uri;
    }

    location /plain { proxy_pass http://functions; }
--- request
GET /run/nobody
--- error_code: 500
--- error_log
upstream "functions" is for locations with "fcfaas" only
