package FcfTest::Fleet;

# Several machines as FcfTest::Container's, on a network of the test's own: one
# tree with the packages installed, and a layer of its own over it for each.
#
#   my $fleet = FcfTest::Fleet->new(packages => [...], debs => [...],
#       files => [...]);            # as FcfTest::Container's, and debs installed
#   my $c = $fleet->machine('node-1', '10.77.0.2');
#       # a FcfTest::Container that others reach there
#   $fleet->net;                    # a FcfTest::Netns that reaches all
#   $fleet->end;

use strict;
use warnings;

use FcfTest::Container;
use FcfTest::Netns;
use File::Path qw(make_path);


sub new {
    my ($class, %opt) = @_;
    my $self = bless { machines => [] }, $class;
    my @debs = map { s{.*/}{./}r } @{ $opt{debs} };

    $self->{tree} = FcfTest::Container->tree(@{ $opt{packages} });
    FcfTest::spew("$self->{tree}/etc/hosts", "127.0.0.1 localhost\n");
    system('cp', @{ $opt{debs} }, @{ $opt{files} // [] },
        "$self->{tree}/root/") == 0 or die "cp failed\n";
    my $said = qx(chroot $self->{tree} sh -c 'cd /root && \\
        DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \\
        install @debs' 2>&1);
    die "apt-get install: $said" if $? != 0;

    my $net = $self->{net} = FcfTest::Netns->new('fleet');
    $net->run('ip', 'link', 'add', 'fleet', 'type', 'bridge');
    $net->run('ip', 'addr', 'add', '10.77.0.254/24', 'dev', 'fleet');
    $net->run('ip', 'link', 'set', 'fleet', 'up');

    return $self;
}


sub net { $_[0]{net} }


sub machine {
    my ($self, $name, $address) = @_;
    my $n = @{ $self->{machines} };
    my $ns = FcfTest::Netns->new($name);
    my $dir = FcfTest::tmpdir() . "/fleet/$name";

    $self->{net}->run('ip', 'link', 'add', "m$n", 'type', 'veth', 'peer',
        'name', 'eth0', 'netns', $ns->name);
    $self->{net}->run('ip', 'link', 'set', "m$n", 'master', 'fleet', 'up');
    $ns->run('ip', 'addr', 'add', "$address/24", 'dev', 'eth0');
    $ns->run('ip', 'link', 'set', 'eth0', 'up');

    make_path("$dir/root", "$dir/upper/var/log/journal", "$dir/work");
    system('mount', '-t', 'overlay', 'overlay', '-o', "lowerdir=$self->{tree},"
        . "upperdir=$dir/upper,workdir=$dir/work", "$dir/root") == 0
        or die "no overlay\n";
    FcfTest::spew("$dir/root/etc/hostname", "$name\n");

    my $c = bless { name => $name, ns => $ns, dir => "$dir/root" },
        'FcfTest::Fleet::Machine';
    $c->_boot;
    push @{ $self->{machines} }, $c;
    return $c;
}


sub end { $_->end for @{ $_[0]{machines} } }


package FcfTest::Fleet::Machine;

our @ISA = ('FcfTest::Container');

sub _nspawn {
    my ($self) = @_;

    return ($self->SUPER::_nspawn(
        '--network-namespace-path=/run/netns/' . $self->{ns}->name),
        name => "nspawn-$self->{name}");
}


sub end {
    my ($self) = @_;

    $self->SUPER::end;
    system('umount', $self->{dir});
}

1;
