package FcfTest::Etcd;

# A real etcd of one member, with data in the test's directory.
#
#   my $etcd = FcfTest::Etcd->start(
#       name   => 'etcd',           # of log and data directory
#       netns  => $ns,              # where it runs, and where we talk to it
#       listen => '127.0.0.1', port => $port,
#       also   => ['https://127.0.0.1:1'],      # more URLs for clients
#       args   => ['--auto-compaction-retention=1'],
#   );
#   $etcd->endpoint;  $etcd->port;  $etcd->data_dir;
#   $etcd->put($key, $value [, $lease]);    # value: text, or a reference that
#                                           # becomes JSON; returns revision
#   $etcd->get($key);               # text or undef; get_json: decoded
#   $etcd->keys($prefix);           # list of keys, sorted
#   $etcd->del($key);               # how many; del_prefix($prefix)
#   $etcd->lease($ttl_s);  $etcd->revoke($lease);  $etcd->lease_of($key);
#   $etcd->compact($revision);
#   $etcd->call('/v3/...', {...});  # any call of the JSON API
#   $etcd->ctl('endpoint', 'status');       # etcdctl; returns what it printed
#   $etcd->metric('etcd_debugging_mvcc_range_total');
#   FcfTest::Etcd->attach(port => 12379);   # one that somebody else runs
#   $etcd->stop($signal); $etcd->start_again; $etcd->pause; $etcd->resume;
#   $etcd->spec('hello', concurrency => 2);     # /specs/hello, version 1
#   $etcd->spec('hello', version => 1, $etcd->traffic(1 => 90, 2 => 10));
#   $etcd->instance('hello', port => $port, worker => 'n1-1', lease => $lease,
#       version => 1, state => 'draining', ...);
#   $etcd->no_instance('hello', 'n1-1');    # ->lose_instance: unannounced
#   $etcd->failure('hello', 'req-1', error => 'no_image', message => 'why');
#   $etcd->auth('s3cret');          # with users from now on: root, by whom all
#                                   # of this is done
#   $etcd->copy_data($dir); $etcd->put_data_back($dir);     # while stopped

use strict;
use warnings;

use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More ();


sub start {
    my ($class, %opt) = @_;
    my $self = bless { name => 'etcd', listen => '127.0.0.1', %opt }, $class;

    $self->{port} //= FcfTest::free_port();
    $self->{peer} //= FcfTest::free_port();
    $self->{dir} = FcfTest::tmpdir() . "/$self->{name}.data";

    return $self->start_again;
}


sub attach {
    my ($class, %opt) = @_;
    return bless { listen => '127.0.0.1', %opt }, $class;
}


sub start_again {
    my ($self) = @_;
    my $peer = "http://127.0.0.1:$self->{peer}";

    $self->{proc} = FcfTest::Proc->spawn(
        name  => $self->{name},
        netns => $self->{netns},
        show  => 5,
        argv  => ['etcd', '--name', 'test', '--data-dir', $self->{dir},
            '--listen-client-urls', join(',', $self->endpoint,
                @{ $self->{also} // [] }),
            '--advertise-client-urls', $self->endpoint,
            '--listen-peer-urls', $peer,
            '--initial-advertise-peer-urls', $peer,
            '--initial-cluster', "test=$peer",
            '--heartbeat-interval', 20, '--election-timeout', 200,
            @{ $self->{args} // [] }]);

    FcfTest::wait_for(sub {
        $self->{proc}->alive or die "etcd ended at start:\n"
            . FcfTest::tail_of($self->{proc}->log, 10);
        eval { $self->_http('GET', '/health')->{body} =~ /"true"/ };
    }, 20, 'etcd to be healthy');

    return $self;
}


sub endpoint { "http://$_[0]{listen}:$_[0]{port}" }
sub port     { $_[0]{port} }
sub data_dir { $_[0]{dir} }
sub proc     { $_[0]{proc} }

sub stop   { my ($self, $sig) = @_; $self->{proc}->stop($sig); return $self }
sub pause  { my ($self) = @_; $self->{proc}->pause; return $self }
sub resume { my ($self) = @_; $self->{proc}->resume; return $self }


sub _http {
    my ($self, $method, $path, $body) = @_;

    return FcfTest::Http->send(host => $self->{listen},
        port => $self->{port}, netns => $self->{netns}, method => $method,
        path => $path, body => $body, $self->{token} && $method eq 'POST'
            ? (headers => { Authorization => $self->{token} }) : ()
        )->response(10);
}


sub auth {
    my ($self, $password) = @_;

    unless (defined $self->{root_password}) {
        $self->call('/v3/auth/user/add',
            { name => 'root', password => $password });
        $self->call('/v3/auth/user/grant', { user => 'root', role => 'root' });
        $self->call('/v3/auth/enable', {});
    }

    $self->{root_password} = $password;
    delete $self->{token};
    $self->{token} = $self->call('/v3/auth/authenticate',
        { name => 'root', password => $password })->{token};
    return $self;
}


sub call {
    my ($self, $path, $request) = @_;
    my $r = $self->_http('POST', $path, FcfTest::json_encode($request));

    if ($r->{status} == 401 && $self->{token}) {    # restarted
        $self->auth($self->{root_password});
        return $self->call($path, $request);
    }

    die "etcd $path: $r->{status} $r->{body}\n" if $r->{status} != 200;

    return FcfTest::json_decode($r->{body});
}


sub _b64 { encode_base64($_[0], '') }

# the key after the last one that begins with $prefix
sub _after {
    my ($prefix) = @_;
    my $last = ord substr $prefix, -1;
    return substr($prefix, 0, -1) . chr($last + 1);
}


sub put {
    my ($self, $key, $value, $lease) = @_;

    $value = FcfTest::json_encode($value) if ref $value;

    my $r = $self->call('/v3/kv/put', { key => _b64($key),
        value => _b64($value), defined $lease ? (lease => "$lease") : () });
    return $r->{header}{revision};
}


sub put_many {
    my ($self, @puts) = @_;

    while (my @some = splice @puts, 0, 100) {
        $self->call('/v3/kv/txn', { success => [map {
            my ($key, $value) = @$_;
            $value = FcfTest::json_encode($value) if ref $value;
            { request_put => { key => _b64($key), value => _b64($value) } }
        } @some] });
    }
}


sub _range {
    my ($self, $key, %more) = @_;
    my $r = $self->call('/v3/kv/range', { key => _b64($key), %more });
    return @{ $r->{kvs} // [] };
}


sub get {
    my ($self, $key) = @_;
    my ($kv) = $self->_range($key);
    return $kv ? decode_base64($kv->{value} // '') : undef;
}


sub get_json {
    my ($self, $key) = @_;
    my $text = $self->get($key);
    return defined $text ? FcfTest::json_decode($text) : undef;
}


sub lease_of {
    my ($self, $key) = @_;
    my ($kv) = $self->_range($key);
    return $kv ? $kv->{lease} // 0 : undef;
}


sub keys {
    my ($self, $prefix) = @_;

    my @keys = sort map { decode_base64($_->{key}) } $self->_range($prefix,
        range_end => _b64(_after($prefix)), keys_only => \1);
    return @keys;
}


sub del {
    my ($self, $key, %more) = @_;
    my $r = $self->call('/v3/kv/deleterange', { key => _b64($key), %more });
    return $r->{deleted} // 0;
}

sub del_prefix {
    my ($self, $prefix) = @_;
    return $self->del($prefix, range_end => _b64(_after($prefix)));
}


sub lease {
    my ($self, $ttl) = @_;
    return $self->call('/v3/lease/grant', { TTL => "$ttl" })->{ID};
}

sub revoke {
    my ($self, $lease) = @_;
    $self->call('/v3/lease/revoke', { ID => "$lease" });
    return $self;
}


sub compact {
    my ($self, $revision) = @_;
    $self->call('/v3/kv/compaction',
        { revision => "$revision", physical => \1 });
    return $self;
}


sub ctl {
    my ($self, @args) = @_;

    return FcfTest::Netns::within($self->{netns}, sub {
        local $ENV{ETCDCTL_API} = 3;
        open my $fh, '-|', 'etcdctl', '--endpoints', $self->endpoint, @args
            or die "etcdctl: $!";
        my $out = do { local $/; <$fh> } // '';
        close $fh or die "etcdctl @args: status " . ($? >> 8) . "\n";
        return $out;
    });
}


# the sum over all label sets of one metric
sub metric {
    my ($self, $name) = @_;
    my $sum = 0;

    for (split /\n/, $self->_http('GET', '/metrics')->{body}) {
        $sum += $1 if /^\Q$name\E(?:\{[^}]*\})? (\S+)$/;
    }

    return $sum;
}


# What people and agents write.

sub spec {
    my ($self, $function_id, %spec) = @_;
    return $self->put("/specs/$function_id", { version => 1, %spec });
}

# a spec's: percent by version
sub traffic {
    my ($self, %percent) = @_;
    return traffic => [map {
        { version => 0 + $_, percent => $percent{$_} } }
        sort CORE::keys %percent];
}

sub instance {
    my ($self, $function_id, %opt) = @_;
    my $worker = delete $opt{worker} // 'n1-1';
    my $port = 0 + delete $opt{port};
    my $lease = delete $opt{lease};

    return $self->put("/functions/$function_id/instances/$worker", {
        worker_ip => '127.0.0.1', proxy_port => $port,
        internal_vm_ip => '172.16.0.2', %opt }, $lease);
}

# as agents do it: it drains, then it goes
sub no_instance {
    my ($self, $function_id, $worker) = @_;
    my $key = "/functions/$function_id/instances/$worker";
    my $value = $self->get_json($key) // return 0;

    $self->put($key, { %$value, state => 'draining' });
    return $self->del($key);
}

# without a word, as by the end of a lease
sub lose_instance {
    my ($self, $function_id, $worker) = @_;
    return $self->del("/functions/$function_id/instances/$worker");
}

sub failure {
    my ($self, $function_id, $request_id, %failure) = @_;
    return $self->put("/functions/$function_id/failures/$request_id",
        { message => '', node_id => 'n1', version => 1, %failure });
}


sub copy_data {
    my ($self, $to) = @_;
    system('cp', '-a', $self->{dir}, $to) == 0 or die "cp to $to\n";
    return $self;
}

sub put_data_back {
    my ($self, $from) = @_;
    system('rm', '-rf', $self->{dir});
    system('cp', '-a', $from, $self->{dir}) == 0 or die "cp from $from\n";
    return $self;
}

1;
