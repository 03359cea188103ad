package Test::Nginx::Socket;

# A stand-in for Test::Nginx::Socket, for systems that do not package it: the
# sections and functions that t/*.t use, with the same meaning.  Where the
# real one is installed, t/*.t find that one, because they only append t/lib
# to @INC.
#
# Sections (Test::Base's syntax; "eval" and "chomp" are its filters):
#
#   config http_config main_config post_main_config   text of nginx.conf
#   server_name user_files init log_level
#   request               "METHOD /uri [HTTP/1.0]", body in the lines below;
#                         eval: a list of them, sent one after another
#   pipelined_requests    eval: a list, sent at once on one connection
#   raw_request           every byte
#   more_headers          for all requests, or eval: a list
#   shutdown              half-close after sending
#   timeout               seconds, or "300ms"; default 3
#   abort                 leave after the timeout; no answer is expected
#   ignore_response       whatever comes
#   wait                  seconds before the logs are read
#   error_code response_headers response_headers_like response_body
#   response_body_like response_body_unlike   each may be a list by eval
#   error_log no_error_log           substrings by line, or a list with qr//
#   grep_error_log grep_error_log_out
#   must_die              nginx refuses to start
#   tcp_listen tcp_reply tcp_reply_delay tcp_no_close tcp_query
#   skip_eval             "<how many>: <expression>"
#   ONLY SKIP LAST        Test::Base's
#
# In these texts $TEST_NGINX_<NAME> is replaced from the environment, and
# $ServerPort by the port.  Environment: TEST_NGINX_BINARY, _PORT, _SERVROOT,
# _LOAD_MODULES, _TIMEOUT, _USE_HUP.  Left out: valgrind, leak check, udp_*,
# curl, HTTP/2 and 3.

use Test::Base -Base;

use FcfTest ();
use Test::Nginx::Server;
use Test::Nginx::Check;
use Test::Nginx::Tcp;
use Time::HiRes qw(sleep);

our @EXPORT = qw(run_tests repeat_each no_shuffle no_long_string
    no_root_location master_on master_process_enabled workers
    worker_connections log_level env_to_nginx add_block_preprocessor
    add_cleanup_handler server_port server_root html_dir timeout bail_out);

my $repeat = 1;
my (@preprocessors, @cleanups);
my $server = Test::Nginx::Server->new;

# Test::Base's -Base puts "my $self = shift" into every "sub name {"; the
# prototypes below keep these plain functions.

sub repeat_each(;$) { $repeat = shift if @_; $repeat }

# blocks run in order; long strings are shown as they are: nothing to do
sub no_shuffle()     { }
sub no_long_string() { }

sub no_root_location()      { $server->{root_location} = 0 }
sub master_on()             { $server->{master} = 'on' }
sub master_process_enabled(;$) { $server->{master} = $_[0] ? 'on' : 'off' }
sub workers($)              { $server->{workers} = shift }
sub worker_connections($)   { $server->{connections} = shift }
sub log_level($)            { $server->{log_level} = shift }
sub env_to_nginx(@)         { push @{ $server->{env} }, @_ }
sub add_block_preprocessor(&) { push @preprocessors, shift }
sub add_cleanup_handler($)  { push @cleanups, shift }
sub server_port(;$)         { $server->{port} = shift if @_; $server->{port} }
sub server_root()           { $server->{root} }
sub html_dir()              { "$server->{root}/html" }
sub timeout(;$)             { $server->{timeout} = shift if @_;
                              $server->{timeout} }
sub bail_out(@)             { Test::More::BAIL_OUT("@_") }


sub run_tests() {
    for my $block (Test::Base::blocks()) {
        $_->($block) for @preprocessors;

        my $skip = skip_reason($block);

      SKIP: {
            Test::More::skip($skip->[1], $skip->[0]) if $skip;
            run_block($block) for 1 .. $repeat;
        }
    }

    $server->stop(1);
    $_->() for @cleanups;
}


sub skip_reason($) {
    my ($block) = @_;
    my $text = $block->skip_eval // return;

    my ($n, $code) = $text =~ /\A\s*(\d+)\s*:\s*(.*)/s
        or die $block->name . ": skip_eval is not \"<n>: <code>\"\n";
    return eval($code) ? [$n, "skip_eval: $code"] : undef;
}


sub run_block($) {
    my ($block) = @_;
    my $name = $block->name;

    my $failed = failures();
    my $tcp = Test::Nginx::Tcp->start($block, $server);
    $server->stop(1) if defined $block->must_die;
    my $started = $server->start($block);

    if ($started && defined(my $init = $block->init)) {
        eval "$init; 1" or die "$name - init: $@";
    }

    if (defined $block->must_die) {
        Test::More::ok(!$started, "$name - nginx refuses to start");

    } elsif (!$started) {
        Test::More::fail("$name - nginx starts");
        Test::More::diag($server->error_log_text);

    } else {
        send_requests($block);
    }

    sleep $block->wait if defined $block->wait;

    Test::Nginx::Check::logs($block, $server) if $started || $block->must_die;
    $server->stop(!$started);
    $tcp->check($block) if $tcp;

    if (failures() > $failed) {
        my @lines = grep { /\[(?:warn|error|crit|alert|emerg)\]/ }
            split /^/, $server->error_log_text;
        splice @lines, 0, -20 if @lines > 20;
        Test::More::diag("error.log:\n", @lines);
    }
}


sub failures() { scalar grep { !$_ } Test::More->builder->summary }


sub send_requests($) {
    my ($block) = @_;

    if (defined(my $raw = $block->raw_request)) {
        one_request($block, 0, $server->expand(text_of($raw)));

    } elsif (defined(my $list = $block->pipelined_requests)) {
        pipelined($block, @$list);

    } elsif (defined(my $request = $block->request)) {
        my @all = ref $request eq 'ARRAY' ? @$request : $request;
        one_request($block, $_, request_text($block, $all[$_], $_))
            for 0 .. $#all;
    }
}


# a section's text; eval may give a list of packets, which are joined
sub text_of($) { ref $_[0] eq 'ARRAY' ? join '', @{ $_[0] } : $_[0] }


# the $i-th of a section that may be a list
sub nth($$) {
    my ($value, $i) = @_;
    return ref $value eq 'ARRAY' ? $value->[$i] : $value;
}


sub request_text($$$;$) {
    my ($block, $request, $i, $connection) = @_;
    my ($line, $body) = split /\r?\n/, $server->expand($request), 2;
    my ($method, $uri, $version) = $line =~ /^(\S+)\s+(\S.*?)(?:\s+(HTTP\S+))?$/
        or die $block->name . ": bad request line \"$line\"\n";

    $version //= 'HTTP/1.1';
    $body =~ s/\A\s+|\s+\z//g if defined $body;

    my $headers = $server->expand(nth($block->more_headers, $i) // '');
    $headers = join '', map "$_\r\n", grep { $_ ne '' } split /\r?\n/, $headers;

    my $text = "$method $uri $version\r\n";
    $text .= 'Host: ' . ($block->server_name // 'localhost') . "\r\n"
        if $headers !~ /^host:/mi;
    $text .= 'Connection: ' . ($connection // 'close') . "\r\n"
        if $headers !~ /^connection:/mi;
    $text .= $headers;
    $text .= 'Content-Length: ' . length($body) . "\r\n"
        if defined $body && $body ne ''
           && $headers !~ /^(?:content-length|transfer-encoding):/mi;

    return "$text\r\n" . ($body // '');
}


sub seconds($) {
    my ($text) = @_;
    return $text =~ /^\s*([\d.]+)ms\s*$/ ? $1 / 1000 : $text + 0;
}


sub one_request($$$) {
    my ($block, $i, $text) = @_;
    my $name = $block->name . ($i ? " (request $i)" : '');
    my $timeout = seconds(nth($block->timeout, $i) // $server->{timeout});
    my ($method) = $text =~ /^(\S+)/;

    my $q = FcfTest::Http->send(port => $server->{port}, raw => $text,
        method => $method // '');
    $q->half_close if defined $block->shutdown;

    my $r = eval { $q->response($timeout) };
    $q->close;

    if (defined $block->abort) {
        Test::More::ok(!$r || !$r->{status}, "$name - no answer before abort");
        return;
    }

    return if defined $block->ignore_response;

    if (!$r) {
        Test::More::fail("$name - an answer");
        Test::More::diag($@);
        return;
    }

    Test::Nginx::Check::answer($block, $r, $i, $name, $server);
}


sub pipelined($@) {
    my ($block, @list) = @_;
    my @text = map {
        request_text($block, $list[$_], $_, $_ == $#list ? undef : 'keep-alive')
    } 0 .. $#list;

    my $q = FcfTest::Http->send(port => $server->{port},
        raw => join '', @text);

    for my $i (0 .. $#list) {
        my $name = $block->name . " (request $i)";
        ($q->{method}) = $text[$i] =~ /^(\S+)/;

        my $r = eval { $q->response(seconds($block->timeout
            // $server->{timeout})) };

        if (!$r || !$r->{status}) {
            Test::More::fail("$name - an answer");
            Test::More::diag($@);
            last;
        }

        Test::Nginx::Check::answer($block, $r, $i, $name, $server);
    }
}

1;
