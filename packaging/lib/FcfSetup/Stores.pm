package FcfSetup::Stores;

# etcd and Redis, and who may what in them.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Conf qw(etcd_conf redis_user);
use FcfSetup::Files qw($etc slurp put random_hex secret);
use FcfSetup::Ports qw(free_port must_be_free);
use FcfSetup::Run qw(run start runs);
use FcfSetup::Say qw(fail did);

our @EXPORT_OK = qw(secrets stores);


# Passwords and tokens, each in a file of its own that its reader alone reads:
# nginx reads those of the gateway before it drops its rights.
sub secrets {
    for my $name (qw(token store.token etcd-root.password etcd-agent.password
        etcd-gateway.password etcd-deploy.password redis-agent.password
        redis-gateway.password redis-deploy.password))
    {
        put("$etc/$name", random_hex(24) . "\n", 0600);
    }

    put("$etc/store.users", 'fcfaas:{PLAIN}' . secret('store.token') . "\n",
        0640, 'www-data');
}


# etcd's URL; stores(address => where others are to reach it, before => what
# is done before it starts)
sub stores {
    my (%of) = @_;
    my $on = ['127.0.0.1', $of{address} // ()];

    if (!-e "$etc/etcd.yml") {
        my $port = free_port('etcd', $on, map { 2389 + 2 * $_ } 0 .. 9);
        my $peer = free_port('etcd', '127.0.0.1',
            map { 2390 + 2 * $_ } 0 .. 9);
        put("$etc/etcd.yml", etcd_conf($port, $peer));
    }

    my ($etcd) = (slurp("$etc/etcd.yml") // '')
        =~ m{^advertise-client-urls: *"?(http[^"\s]+)}m
        or fail("$etc/etcd.yml has no advertise-client-urls");
    must_be_free($etcd =~ s{^https?://}{}r, "$etc/etcd.yml")
        unless runs('fcfaas-etcd.service');

    my $acl = join '', "user default off\n",
        map { redis_user($_, secret("redis-$_.password")) }
        qw(agent gateway deploy);
    put("$etc/redis.acl", $acl, 0640, 'redis');

    $of{before}->() if $of{before};
    start('fcfaas-etcd.service', 60);
    start('fcfaas-redis.service', 60);
    etcd_users($etcd);
    return $etcd;
}


# The input is a password: an argument, even the shell's, all may read, but an
# environment only its owner.
sub etcdctl {
    my ($etcd, $input, @argv) = @_;

    local $ENV{ETCDCTL_API} = 3;
    local $ENV{ETCDCTL_ENDPOINTS} = $etcd;
    # a password costs etcd a tenth of a second of a processor, which others
    # may have
    local $ENV{ETCDCTL_COMMAND_TIMEOUT} = '60s';
    return run('etcdctl', @argv) unless defined $input;

    local $ENV{FCFAAS_INPUT} = $input;
    return run('sh', '-c', 'printf %s "$FCFAAS_INPUT" | exec etcdctl "$@"',
        'sh', @argv);
}


# Roles as docs/install.md has them: prefixes of etcd's keys.
my %may = (
    agent   => { read => [qw(/specs/ /secrets/ /runtimes/)],
                 readwrite => [qw(/functions/ /workers/)] },
    gateway => { read => [qw(/specs/ /functions/ /workers/)] },
    deploy  => { read => [qw(/functions/ /workers/)],
                 readwrite => [qw(/specs/ /secrets/ /runtimes/)] },
);


# What the role of that name lacks: all of it at first, or what a newer fcfaas
# has that this was not set up by.
sub etcd_grant {
    my ($etcd, $user, $tell) = @_;
    my ($ok, $has) = etcdctl($etcd, undef, 'role', 'get', $user);

    return if $tell && !$ok;            # somebody has roles of his own

    for my $kind (sort keys %{ $may{$user} // {} }) {
        for my $key (@{ $may{$user}{$kind} }) {
            next if $has =~ /\(prefix \Q$key\E\)/;
            etcd_must($etcd, undef, 'role', 'grant-permission', '--prefix',
                $user, $kind, $key);
            did("let etcd's user $user $kind $key") if $tell;
        }
    }
}


# Whatever a run that was ended early has made is made again; the last step
# turns authentication on.
sub etcd_users {
    my ($etcd) = @_;
    my ($off, $said) = etcdctl($etcd, undef, 'user', 'list');

    # with authentication off etcd takes any password, so another failure must
    # not be taken for a refusal
    if (!$off) {
        fail("etcdctl user list failed: $said")
            unless $said =~ /user name is empty/;

        local $ENV{ETCDCTL_USER} = 'root:' . secret('etcd-root.password');
        (my $ok, $said) = etcdctl($etcd, undef, 'user', 'list');
        fail($said =~ /authentication failed/
            ? "etcd refuses the password in $etc/etcd-root.password: $said"
            : "etcdctl user list failed: $said") unless $ok;
        etcd_grant($etcd, $_, 1) for sort keys %may;
        return;
    }

    for my $user ('root', sort keys %may) {
        etcdctl($etcd, undef, 'user', 'delete', $user);
        etcdctl($etcd, undef, 'role', 'delete', $user);
        etcd_must($etcd, secret("etcd-$user.password") . "\n",
            'user', 'add', $user, '--interactive=false');
        etcd_must($etcd, undef, 'role', 'add', $user);
        etcd_grant($etcd, $user);
        etcd_must($etcd, undef, 'user', 'grant-role', $user, $user);
    }

    etcd_must($etcd, undef, 'auth', 'enable');
    did('made etcd users root, agent, gateway and deploy');
}


sub etcd_must {
    my ($ok, $said) = etcdctl(@_);
    fail("etcdctl @_[2 .. $#_] failed: $said") unless $ok;
}

1;
