package FcfSetup::Head;

# The machine with the CA, which others join: etcd, Redis and store, open to
# who has a certificate of it.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Agent qw(advertise);
use FcfSetup::Ca qw(make_ca key csr_of sign fingerprint temporary
    key_of_csr);
use FcfSetup::Conf qw(etcd_tls head_site_conf cli_tls);
use FcfSetup::Files qw($etc slurp put put_anew edit make_dir);
use FcfSetup::Front qw(front tls_snippet $tls);
use FcfSetup::Gateway qw(enable_site reload_nginx);
use FcfSetup::Join qw(own_name cluster_of is_own default_address);
use FcfSetup::Ports qw(is_free free_port must_be_free);
use FcfSetup::Run qw(start restart runs);
use FcfSetup::Say qw(fail wrote did);
use FcfSetup::Sign qw(machine machines set_machine DAYS);
use FcfSetup::Token qw(new_token read_token keep_token);
use JSON::PP ();

our @EXPORT_OK = qw(open_head head_address is_head head_etcd head_renew
    make_token remove_machine);


sub is_head { return -e "$tls/ca.key" }


# where others reach it: as it was, as was said, or as can be found out
sub head_address {
    my ($said) = @_;
    my $had = (cluster_of($tls) // {})->{address};

    fail("the head is at $had, which its certificates and those who joined "
        . 'say') if defined $had && defined $said && $said ne $had;
    return $had // is_own($said // default_address());
}


# What comes before etcd's start.
sub head_etcd {
    my ($address) = @_;

    make_dir($tls, 0755);
    make_dir("$tls/$_", 0700) for qw(tokens machines);
    make_ca($tls);
    my $cluster = cluster($address);
    certificates($address);

    my $changed = edit("$etc/etcd.yml", sub {
        my ($text, $port) = ($_[0], $cluster->{etcd} =~ /(\d+)$/);
        return $text if $text =~ /^client-transport-security:/m;

        $text =~ s{^(listen-client-urls: *)"?(http://127[^"\s]*)"?}
            {$1"$2,https://$address:$port"}m
            or fail("$etc/etcd.yml: no listen-client-urls on 127.0.0.1");
        return $text . etcd_tls();
    });

    # changed now, or by a run that ended before it was read
    if (runs('fcfaas-etcd.service') && ($changed
        || is_free($cluster->{etcd} =~ s{^https://}{}r)))
    {
        restart('fcfaas-etcd.service', 60);
    }
}


# All that others do: once etcd and Redis run.
sub open_head {
    my ($address) = @_;
    my $cluster = cluster_of($tls);
    my $agent = -e "$etc/agent.conf";

    tls_snippet();
    front(cluster => $cluster, address => $address, agent => $agent,
        own_redis => 1);
    start('fcfaas-sign.socket', 10);
    start('fcfaas-renew.timer', 10);

    put('/etc/nginx/sites-available/fcfaas-head', head_site_conf(
        address => $address, port => $cluster->{head} =~ /(\d+)$/));
    enable_site('fcfaas-head');
    speak_tls();
    reload_nginx($cluster->{head});
    advertise($address) if $agent;

    edit("$etc/fcfaas.conf", sub {
        my ($text) = @_;
        $text =~ s{^store *= *http://127\S*/fcfaas/store$}
            {store = $cluster->{store}\n@{[cli_tls() =~ s/\n\z//r]}}m;
        return $text;
    });
}


# What a gateway for itself alone has said to VMs on this machine goes through
# TLS from now on, as all gateways' requests do.
sub speak_tls {
    edit('/etc/nginx/sites-available/fcfaas', sub {
        my ($text) = @_;
        return $text if $text =~ /fcfaas-tls\.conf/;

        $text =~ s{(proxy_pass\s+)http(://(?:functions|\$fcfaas_node_admin))}
            {$1https$2}g;
        $text =~ s{^( *)(?=location )}{$1include  snippets/fcfaas-tls.conf;\n\n$1}m
            or fail('/etc/nginx/sites-available/fcfaas has no location');
        return $text;
    });
}


# what all that join are told
sub cluster {
    my ($address) = @_;
    my $file = "$tls/cluster.json";
    my ($etcd) = (slurp("$etc/etcd.yml") // '')
        =~ m{^advertise-client-urls: *"?http://127\.0\.0\.1:(\d+)}m
        or fail("$etc/etcd.yml has no advertise-client-urls on 127.0.0.1");

    if (!-e $file) {
        my $head = free_port('head', $address, 8443 .. 8462);
        my $redis = free_port('Redis', $address, 6380 .. 6399);
        must_be_free("$address:$etcd", "$etc/etcd.yml");
        put($file, JSON::PP->new->canonical->encode({ address => $address,
            head => "$address:$head", etcd => "https://$address:$etcd",
            redis => "$address:$redis",
            store => "https://$address:$head/fcfaas/store" }) . "\n");
    }

    return cluster_of($tls);
}


# its own, which nobody is asked for
sub certificates {
    my ($address, $anew) = @_;
    my %of = ("$tls/machine.pem" => undef, "$tls/etcd.pem" => 'etcd');
    my $name = own_name();

    for my $file (sort keys %of) {
        next if -e $file && !$anew;

        my $key = key();
        my $in = temporary($key);
        my $certificate = sign($tls, csr_of("$in"), role => 'head',
            days => DAYS, addresses => [$address, '127.0.0.1'],
            names => [$name, map { "$_.fcfaas" } qw(head gateway node etcd
                redis store)]) // fail("no certificate for $file");
        put_anew($file, $certificate . $key,
            defined $of{$file} ? 0640 : 0600, $of{$file});
        wrote($file);
    }

    set_machine($tls, { name => $name, role => 'head', keys => [],
        address => $address, ends => time + DAYS * 86400 })
        if $anew || !-e "$tls/machines/$name";
}

sub head_renew { certificates((cluster_of($tls))->{address}, 1) }


sub make_token {
    my ($role, $seconds) = @_;
    my $token = new_token(role => $role, address => (cluster_of($tls))->{head},
        fingerprint => fingerprint(slurp("$tls/ca.crt")));
    my ($said) = read_token($token);

    keep_token("$tls/tokens", $said->{id}, { role => $role,
        key => $said->{key}, ends => time + $seconds });
    return $token;
}


# It has no certificate any more once the one it has has ended.
sub remove_machine {
    my ($name) = @_;
    my $machine = machine($tls, $name);

    fail("there is no machine \"$name\": " . join ' ', machines($tls))
        unless $machine;
    fail("$name is the head") if $machine->{role} eq 'head';
    unlink "$tls/machines/$name" or fail("$tls/machines/$name: $!");
    return $machine->{ends};
}

1;
