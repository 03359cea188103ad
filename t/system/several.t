#!/usr/bin/perl

# Several machines, joined by fcfaas-setup: a head, another gateway and two
# nodes, each a Debian with a systemd of its own; and one that was alone and
# becomes a head.  All of it over TLS, certificates renewed and machines gone
# under load, and what is refused.  Guests are the instant stand-in's.
# Some 3 min, and more where the containers' Debian is fetched first.

use strict;
use warnings;

use lib 't/lib', 'packaging/lib';
use FcfSetup::Token qw(new_token);
use FcfTest;
use FcfTest::Fleet;
use Test::More;

my $impossible = FcfTest::Container->impossible;
plan skip_all => "no container with systemd: $impossible" if $impossible;

my @debs = FcfTest::Packages->now;
my $begun = now();
my $fleet = FcfTest::Fleet->new(packages =>
    [FcfTest::Packages->needed(@debs)], debs => \@debs,
    files => [root() . '/t/lib/load.pl']);
my %at = (head => '10.77.0.1', 'gw-2' => '10.77.0.2',
    'node-1' => '10.77.0.11', 'node-2' => '10.77.0.12');
my %on = eval { map { $_ => $fleet->machine($_, $at{$_}) } sort keys %at };
plan skip_all => "no container with systemd: $@" =~ s/\s+/ /gr
    if $@ =~ /^(?:refused: |no overlay)/;
die $@ if $@;
diag(sprintf 'four machines are there after %.0f s', now() - $begun);

# what it says, of a line that must go well there
sub does {
    my ($where, $line, $what) = @_;
    my ($status, $said) = $on{$where}->run($line);

    is($status, 0, "$where: " . ($what // $line)) or diag($said);
    return $said;
}

sub says {
    my ($where, $line) = @_;
    my (undef, $said) = $on{$where}->run($line);
    chomp $said;
    return $said;
}

# with one line of reason
sub refused {
    my ($where, $line, $why, $what) = @_;
    my ($status, $said) = $on{$where}->run($line);

    is($status, 256, "$where: $what: refused");
    like($said, qr/^fcfaas-setup: $why\n\z/, 'in one line');
}

sub token {
    my (@args) = @_;
    my $token = says('head', "fcfaas-setup token @args 2>/dev/null");
    like($token, qr/^fcf1_[\w-]{80}$/, "a token @args");
    return $token;
}

sub code {
    my ($address) = @_;
    return $fleet->net->run('curl', '-s', '-o', '/dev/null', '--noproxy', '*',
        '--max-time', 20, '-w', '%{http_code}', "http://$address/run/hello");
}

# calls of both gateways meanwhile, none of which may be lost
sub under_load {
    my ($what, $gateways, $does) = @_;
    my %load = map { $_ => FcfTest::Load->start(in => $on{$_}, port => 8080,
        path => '/run/hello', interval_ms => 10, again => 1) } @$gateways;

    wait_for(sub { says($_, 'curl -s -o /dev/null -w "%{http_code}" '
        . 'http://127.0.0.1:8080/run/hello') eq '200' }, 60, "a load on $_")
        for @$gateways;
    $does->();
    for (@$gateways) {
        my $n = $load{$_}->end;
        cmp_ok($n->{sent}, '>', 50, "$what: $n->{sent} calls of $_");
        is($n->{lost} + $n->{sent} - ($n->{status}{200} // 0), 0,
            "$what: none is lost") or diag(json_encode($n));
    }
}

sub as_it_was {
    my ($where, $line) = @_;

    says($where, 'touch /root/mark');
    like(does($where, $line), qr/all is as it was/, 'changes nothing');
    is(says($where, 'find /etc -newer /root/mark -type f '
        . '! -path "/etc/fcfaas/tls/tokens/*"'), '', 'no file');
}

subtest 'the head' => sub {
    my $said = does('head', 'fcfaas-setup gateway');
    like($said, qr{^\s+/etc/fcfaas/tls/ca\.key$}m, 'has a CA');
    like($said, qr{^functions:  http://10\.77\.0\.1:8080/run/}m,
        'and is at the address that others reach it at');
    as_it_was('head', 'fcfaas-setup gateway');
    refused('head', 'fcfaas-setup gateway --address=10.77.0.9',
        qr/the head is at 10\.77\.0\.1, which .*/, 'another address');
};

subtest 'who does not join' => sub {
    my $token = token();
    my $join = 'fcfaas-setup node --vmm=instant';
    (my $slip = $token) =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/e;
    my %is = (role => 'node', address => '10.77.0.1:8443',
        fingerprint => '0' x 64);

    refused('node-1', $join, qr/--join TOKEN is missing: .*/, 'no token');
    refused('node-1', "$join --join=$slip", qr/the token is mistyped, .*/,
        'a slip');
    refused('node-1', "$join --join=hello", qr/that is no token: .*/, 'none');
    refused('node-1', "fcfaas-setup gateway --join=$token",
        qr/the token is for a node: .*/, 'as what it is not for');
    refused('node-1', "$join --join=" . new_token(%is),
        qr/the CA of 10\.77\.0\.1:8443 is not that of the token: .*/,
        'another CA than the token says');
    refused('node-1', "$join --join=" . new_token(%is,
        address => '10.77.0.1:8444'), qr/cannot reach the head at .*/,
        'no head there');
    refused('node-1', "$join --join=$token --address=10.77.0.9",
        qr/10\.77\.0\.9 is no address of this machine/, 'an address');
    refused('node-1', "setpriv --reuid=nobody $join --join=$token",
        qr/must be root: .*/, 'a user');
    refused('node-1', "chmod -x /usr/bin/openssl; $join --join=$token; r=\$?; "
        . 'chmod +x /usr/bin/openssl; exit $r',
        qr/packages are missing: apt install openssl/, 'a package');
    refused('node-1', "hostname x.fcfaas; $join --join=$token; r=\$?; "
        . 'hostname node-1; exit $r', qr/.*"x\.fcfaas" is no name: .*/,
        'a name');
    does('head', 'sed -i "s/\"ends\":[0-9]*/\"ends\":$(($(date +%s)-60))/" '
        . '/etc/fcfaas/tls/tokens/*', 'tokens end');
    refused('node-1', "$join --join=$token",
        qr/10\.77\.0\.1:8443: the token was good until 20\d\d-.*/,
        'one that has ended');
    is(says('node-1', 'ls /etc/fcfaas/tls/machine.pem /etc/fcfaas/agent.conf '
        . '2>/dev/null'), '', 'it has no certificate, nor settings');
};

subtest 'nodes and a gateway join' => sub {
    my $first = token();
    like(does('node-1', "echo $first | fcfaas-setup node --vmm=instant "
        . '--join=-', 'joins'), qr/joined the cluster at 10\.77\.0\.1:8443/,
        'and says so');
    refused('node-2', "fcfaas-setup node --vmm=instant --join=$first",
        qr/.*the token was used already, by node-1: .*/, 'a token twice');

    my $second = token('--expires=30m');
    refused('node-2', 'hostname node-1; fcfaas-setup node --vmm=instant '
        . "--join=$second; r=\$?; hostname node-2; exit \$r",
        qr/.*node-1 is in the cluster already: .*/, 'a name twice');
    my $pid = says('node-2', "perl -MIO::Socket::INET -e '\$s = "
        . 'IO::Socket::INET->new(LocalAddr => q(0.0.0.0:30007), Listen => 1, '
        . "ReuseAddr => 1) or die; fork and exit; print qq(\$\$\\n); "
        . "close STDOUT; close STDERR; sleep'");
    says('node-2', "echo $second >/root/token");
    my $join = 'fcfaas-setup node --vmm=instant --join @/root/token';
    my ($status, $said) = $on{'node-2'}->run($join);
    is($status, 256, 'a port of VMs that is in use');
    like($said, qr/0\.0\.0\.0:30007 is in use by perl, process $pid: /,
        'is named');
    does('node-2', "kill $pid");
    does('node-2', $join, 'goes on');

    my $gateway = token('--role gateway');
    does('gw-2', "fcfaas-setup gateway --join=$gateway");
    like(says('gw-2', 'ls /etc/fcfaas'), qr/^etcd-gateway\.password$/m,
        'a gateway has its password');
    is(says('gw-2', 'ls /etc/fcfaas | grep -e agent -e deploy -e root'), '',
        'and no other');
    is(says('node-1', 'ls /etc/fcfaas | grep -e gateway -e deploy -e root'),
        '', 'nor has a node');
    is(says($_, 'find /etc/fcfaas -type f -perm /077 ! -name "*.conf" '
        . '! -name ca.crt ! -name cluster.json ! -name etcd.yml'), '',
        "$_: secrets are root's alone") for qw(gw-2 node-1);
};

subtest 'a function' => sub {
    does('head', 'fcfaas deploy /usr/share/doc/fcfaas-cli/examples/hello');
    is(code("$at{$_}:8080"), '200', "is called through $_") for qw(head gw-2);
    does('head', 'fcfaas scale hello --min 8 --max 12');
    wait_for(sub { my $ps = says('head', 'fcfaas ps');
        $ps =~ /\bnode-1\b/ && $ps =~ /\bnode-2\b/ }, 60, 'both nodes');
    like(says('head', 'fcfaas logs hello'), qr/GET \//, 'its output is seen');
    like(does('head', 'fcfaas-setup doctor'), qr/nothing is wrong/,
        'all is well');
};

# what others reach of it, but for Debian's own site of nginx
sub open_ports {
    my ($where) = @_;
    my %ports = map { $_ => 1 } grep { $_ != 80 }
        says($where, 'ss -Hltn') =~ /\s(?!127\.|\[::1\])\S+:(\d+)\s/g;
    my @all = sort { $a <=> $b } keys %ports;
    my @vms = grep { $_ >= 30000 && $_ <= 32767 } @all;

    return join ' ', (grep { $_ < 30000 || $_ > 32767 } @all),
        @vms == 2768 ? 'vms' : @vms;
}

# whether plain HTTP, and TLS without a certificate, get anything there
sub is_shut {
    my ($address) = @_;
    my ($plain) = $fleet->net->run('sh', '-c', "curl -s --noproxy '*' -m 5 "
        . "http://$address/ -o /dev/null -w '%{http_code}' || :");
    my $tls = $fleet->net->run('sh', '-c', "curl -sk --noproxy '*' -m 5 "
        . "https://$address/version -o /dev/null -w '%{http_code}' || :");

    like($plain, qr/^(?:000|400)$/, "$address: plain HTTP gets nothing");
    like($tls, qr/^(?:000|404)$/, "$address: nor does who has no certificate");
}

subtest 'over TLS' => sub {
    is(open_ports('head'), '2389 6380 8080 8443', 'the head is open there');
    is(open_ports('gw-2'), '8080', 'a gateway');
    is(open_ports($_), '9180 vms', $_) for qw(node-1 node-2);

    my ($vm) = says('head', 'fcfaas ps') =~ /node-1 +(10\.77\.0\.11:\d+)/;
    is_shut($_) for '10.77.0.1:2389', '10.77.0.1:6380', '10.77.0.1:8443',
        '10.77.0.11:9180', $vm;

    # a node's certificate is no gateway's
    my $me = '--cacert /etc/fcfaas/tls/ca.crt --cert '
        . '/etc/fcfaas/tls/machine.pem';
    like(says('node-2', "curl -s -m 5 $me https://10.77.0.11:9180/instances "
        . '-o /dev/null -w "%{http_code}"'), qr/^(?:000|503)$/,
        'one node does not reach another');
    is(says('gw-2', "curl -s -m 5 $me https://10.77.0.11:9180/instances "
        . '-o /dev/null -w "%{http_code}"'), '200', 'a gateway does');
    my ($image) = says('head', 'ls /var/lib/fcfaas/store');
    for (['gw-2', $me, '200'], ['gw-2', '-k', '401'],
        ['node-1', "$me -X DELETE", '401'])
    {
        my ($where, $how, $expect) = @$_;
        is(says($where, "curl -s $how https://10.77.0.1:8443/fcfaas/store/"
            . "$image -o /dev/null -w '%{http_code}'"), $expect,
            'an image: ' . ($how =~ /^-k/ ? 'without a certificate'
            : $how =~ /DELETE/ ? 'to remove' : 'with one'));
    }
};

subtest 'once more' => sub {
    as_it_was('head', 'fcfaas-setup gateway');
    as_it_was('gw-2', 'fcfaas-setup gateway');
    as_it_was($_, 'fcfaas-setup node') for qw(node-1 node-2);
};

sub serial {
    my ($where, $file) = @_;
    return says($where, 'openssl x509 -noout -serial -in /etc/fcfaas/tls/'
        . ($file // 'machine.pem'));
}

subtest 'certificates are renewed' => sub {
    my %before = map { $_ => serial($_) } sort keys %on;
    my $etcd = serial('head', 'etcd.pem');

    does('node-1', 'systemctl start fcfaas-renew.service', 'the timer\'s');
    is(serial('node-1'), $before{'node-1'}, 'leaves new ones as they are');

    under_load('renewal', [qw(head gw-2)], sub {
        for my $round (1 .. 2) {
            does($_, 'fcfaas-setup renew') for sort keys %on;
        }
        # so that all connect anew
        does('head', 'systemctl restart fcfaas-etcd');
        doctor_says_well();
        is(code("$at{$_}:8080"), '200', "$_ answers") for qw(head gw-2);
    });
    isnt(serial($_), $before{$_}, "$_ has another") for sort keys %on;
    isnt(serial('head', 'etcd.pem'), $etcd, 'so has etcd');
    like(does('head', 'openssl s_client -connect 10.77.0.1:2389 </dev/null '
        . '2>/dev/null | openssl x509 -noout -serial; true'),
        qr/\Q@{[serial('head', 'etcd.pem')]}/, 'and shows it');
    is(says('node-1', 'find /etc/fcfaas -name "*.next" -o -name "*.new"'), '',
        'nothing is left of it');
};

sub doctor_says_well {
    wait_for(sub { ($on{head}->run('fcfaas-setup doctor'))[0] == 0 }, 60,
        'the doctor');
}

# by docs/install.md; t/system/ca.t shows each step without these services
subtest 'another CA' => sub {
    my ($part) = slurp(root() . '/docs/install.md')
        =~ /^### The CA itself\n(.*?)^##/ms or die 'no such part';
    my ($make, $steps) = $part =~ /^```\n(.*?)^```/msg;
    my ($restart) = $part =~ /`(systemctl try-restart\s[^`]*)`/
        or die 'no such command';
    my $ca = '/etc/fcfaas/tls/ca.crt';
    my $before = says('head', "sha256sum <$ca");

    does('head', "set -e; umask 077; $make", 'it is made');
    under_load('another CA', [qw(head gw-2)], sub {
        for my $step (split /\n/, $steps) {
            does('head', "umask 077; $step");
            does('head', $restart =~ s/\s+/ /gr);
            does($_, 'fcfaas-setup renew')
                for 'head', grep { $_ ne 'head' } sort keys %on;
            doctor_says_well();
            is(code("$at{$_}:8080"), '200', "$_ answers") for qw(head gw-2);
        }
    });

    my $now = says('head', "sha256sum <$ca");
    isnt($now, $before, 'the CA is another one');
    is(says($_, "sha256sum <$ca"), $now, "and that of $_") for sort keys %on;
    like(says('node-1', "openssl s_client -connect 10.77.0.1:2389 -CAfile $ca "
        . '-cert /etc/fcfaas/tls/machine.pem </dev/null 2>&1'),
        qr/Verify return code: 0 /, 'and of etcd\'s certificate');
    is(says($_, 'curl -s http://127.0.0.1:8080/fcfaas/status | '
        . 'grep -o refused_certificate'), '', "$_: no certificate was refused")
        for qw(head gw-2);
};

# how often the agent there took another token
sub taken { 'journalctl -q -o cat -u fcfaas-agent | grep -c "token_file: taken"; '
    . 'true' }

subtest 'a node leaves' => sub {
    my $said = does('head', 'fcfaas-setup remove node-2');
    like($said, qr/is good until \d{4}-/, 'what is left of it is said');
    refused('node-2', 'fcfaas-setup renew',
        qr/.*this machine was removed from the cluster/, 'it');
    refused('head', 'fcfaas-setup remove node-2',
        qr/there is no machine "node-2": gw-2 head node-1/, 'once more');

    under_load('its end', [qw(head gw-2)], sub {
        does('node-2', 'fcfaas-agent --conf=/etc/fcfaas/agent.conf drain '
            . '--wait', 'is emptied');
        does('node-2', 'apt-get -q -y purge fcfaas fcfaas-agent fcfaas-cli '
            . 'libnginx-mod-http-fcfaas 2>&1', 'apt purge');
    });
    # nor does the password that it knew serve any more
    under_load('another password', [qw(head gw-2)], sub {
        does('head', q(umask 077; cd /etc/fcfaas; export ETCDCTL_API=3; )
            . q(echo other >etcd-agent.password; )
            . q(ETCDCTL_USER="root:$(cat etcd-root.password)" )
            . q(etcdctl --endpoints http://127.0.0.1:2389 user passwd agent )
            . q(--interactive=false <etcd-agent.password), 'another password');
        like(does('node-1', 'fcfaas-setup renew'),
            qr/restarted fcfaas-agent\.service/, 'an agent takes it');
        doctor_says_well();
    });
    # nor the token
    my $old = says('head', 'cat /etc/fcfaas/token');
    under_load('another token', [qw(head gw-2)], sub {
        for my $edit ('openssl rand -hex 24 >> token', 'sed -i "1{h;d};2G" token',
            'sed -i 2d token')
        {
            my $n = says('node-1', taken());
            does('head', "cd /etc/fcfaas; $edit; systemctl reload nginx", $edit);
            does('node-1', 'fcfaas-setup renew');
            wait_for(sub { says('node-1', taken()) > $n }, 60, 'it is taken');
            does('gw-2', 'fcfaas-setup renew');
        }
    });
    is(says($_, 'wc -l </etc/fcfaas/token'), '1', "$_ has one token")
        for qw(head node-1 gw-2);
    isnt(says('node-1', 'cat /etc/fcfaas/token'), $old, 'another one');
    is(says('node-2', 'find /etc /var/lib /usr /run -xdev -name "*fcfaas*" '
        . '! -path "/var/lib/systemd/*" ! -path "/usr/share/doc/*" '
        . '2>/dev/null'), '', 'no file is left');
    is(open_ports('node-2'), '', 'nor a port open');
};

subtest 'the head is rebooted' => sub {
    $on{head}->reboot;
    wait_for(sub { code('10.77.0.1:8080') eq '200' }, 60, 'an answer');
    is(code('10.77.0.2:8080'), '200', 'from the other gateway, too');
    eval { doctor_says_well() };
    like(does('head', 'fcfaas-setup doctor'), qr/nothing is wrong/,
        'all is well');
    is(says('head', 'systemctl --failed --no-legend --plain'), '',
        'no unit failed');
};

# one that was alone: what runs on it goes on
subtest 'from one machine to several' => sub {
    $on{alone} = $fleet->machine('alone', '10.77.0.21');
    does('alone', 'fcfaas-setup single --vmm=instant');
    does('alone', 'fcfaas deploy /usr/share/doc/fcfaas-cli/examples/hello');

    my $token;
    under_load('becomes a head', ['alone'], sub {
        $token = does('alone', 'fcfaas-setup token --role=gateway 2>/root/said',
            'fcfaas-setup token');
        chomp $token;
    });
    like(says('alone', 'cat /root/said'), qr{/etc/fcfaas/tls/ca\.key$}m,
        'says what it did, beside');
    is(open_ports('alone'), '2389 6380 8443 9180 vms', 'it is open to others');
    like(does('alone', 'fcfaas-setup doctor'), qr/nothing is wrong/,
        'all is well');
    as_it_was('alone', 'fcfaas-setup single');

    # the other gateway changes over
    does('gw-2', 'apt-get -q -y purge fcfaas 2>&1', 'apt purge');
    does('gw-2', 'apt-get -q -y --no-install-recommends install ./fcfaas_*.deb '
        . '2>&1', 'apt install');
    does('gw-2', "fcfaas-setup gateway --join=$token");
    is(code('10.77.0.2:8080'), '200', 'VMs of the one are reached from it');
};

$fleet->end;
done_testing();
