package FcfTest::Netns;

# A network namespace of the test's own, gone with the test.
#
#   my $ns = FcfTest::Netns->new('node');   # "fcf-<pid>-node", lo is up
#   $ns->name;
#   $ns->run('ip', 'link');             # a command inside; dies if it fails,
#                                       # returns what it printed
#   $ns->in(sub { ... });               # the test's own sockets made inside
#   $ns->enter;                         # the test itself, for good, with
#                                       # everything it starts from then on
#   $ns->veth($other, '10.9.0.1/24', '10.9.0.2/24');
#       # a cable from here to $other (a FcfTest::Netns)

use strict;
use warnings;

use Scalar::Util qw(blessed);

use constant { SYS_setns => 308, CLONE_NEWNET => 0x40000000 };

my (@all, $cables);


sub new {
    my ($class, $name) = @_;
    my $self = bless { name => "fcf-$$-$name" }, $class;

    _do('ip', 'netns', 'add', $self->{name});
    push @all, $self;
    $self->run('ip', 'link', 'set', 'lo', 'up');
    return $self;
}


sub name { $_[0]{name} }


sub run {
    my ($self, @cmd) = @_;
    return _do('ip', 'netns', 'exec', $self->{name}, @cmd);
}


sub _do {
    my (@cmd) = @_;

    open my $fh, '-|', @cmd or die "$cmd[0]: $!";
    my $out = do { local $/; <$fh> } // '';
    close $fh or die "\"@cmd\" failed with status " . ($? >> 8) . "\n";
    return $out;
}


sub _setns {
    my ($fh, $what) = @_;
    syscall(SYS_setns, fileno $fh, CLONE_NEWNET) == 0
        or die "setns $what: $!\n";
}


sub enter {
    my ($self) = @_;

    open my $fh, '<', "/run/netns/$self->{name}" or die "$self->{name}: $!";
    _setns($fh, $self->{name});
    return $self;
}


sub in { within($_[0], $_[1]) }


# within($netns, $code): $netns is an object, a name, or undef for here
sub within {
    my ($ns, $code) = @_;

    return $code->() unless defined $ns;

    my $name = blessed $ns ? $ns->name : $ns;

    open my $back, '<', '/proc/self/ns/net' or die "own namespace: $!";
    open my $there, '<', "/run/netns/$name" or die "$name: $!";

    _setns($there, $name);
    my @got = eval { $code->() };
    my $err = $@;
    _setns($back, 'back');

    die $err if $err ne '';
    return wantarray ? @got : $got[0];
}


sub veth {
    my ($self, $other, $here, $there) = @_;
    my $n = ++$cables;

    _do('ip', 'link', 'add', "v${n}a", 'netns', $self->{name},
        'type', 'veth', 'peer', 'name', "v${n}b", 'netns', $other->name);

    for ([$self, "v${n}a", $here], [$other, "v${n}b", $there]) {
        my ($ns, $dev, $addr) = @$_;
        $ns->run('ip', 'addr', 'add', $addr, 'dev', $dev);
        $ns->run('ip', 'link', 'set', $dev, 'up');
    }

    return ("v${n}a", "v${n}b");
}


sub delete_all {
    while (my $ns = pop @all) {
        system 'ip', 'netns', 'del', $ns->{name};
    }
}

1;
