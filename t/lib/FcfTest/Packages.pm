package FcfTest::Packages;

# Debian's packages of the tree, and of the commit before.
#
#   my @debs = FcfTest::Packages->now;       # of t/system/deb.t, or made
#   my @names = FcfTest::Packages->needed(@debs);   # Debian's, that they need
#   my $why = FcfTest::Packages->no_before;  # undef where there is a commit
#   my @old = FcfTest::Packages->before(sub { my ($dir) = @_; ... });
#
# before() gives its tree to a function first, which may change it.  Of what is
# built already all is taken that the commit has not changed, so that it costs
# little more than to pack it; FCF_UPGRADE_FROM names another commit than HEAD~1.

use strict;
use warnings;

use File::Path qw(make_path remove_tree);

# what make has built that knows no path of its tree
my @built = qw(build/release build/vm build/nginx/source
    build/nginx/ngx_http_fcfaas_module.so);

# theirs that run make, or the tests, would be taken for ours
sub _clean {
    delete @ENV{grep { /^(?:MAKE|MFLAGS|V$|B$|DESTDIR|PREFIX)/ } keys %ENV};
}


sub now {
    my $root = FcfTest::root();
    my $key = qx('$root/packaging/deb' key);
    my $file = "$root/build/deb/key";

    # of this commit, and of what is not committed
    if ($key !~ /\S/ || !-e $file || FcfTest::slurp($file) ne $key) {
        local %ENV = %ENV;
        _clean();
        _must("cd '$root' && flock build make -s V=release targets "
            . '&& packaging/deb');
    }

    return glob "$root/build/deb/*.deb";
}


# what they depend on, but for each other
sub needed {
    my ($class, @debs) = @_;
    my %names = map { $_ => 1 } qw(nftables procps);

    for my $deb (@debs) {
        # "fcfaas" needs of these what its machine is to have
        my @fields = $deb =~ m{/fcfaas_} ? qw(Depends Recommends) : 'Depends';

        for (split /\s*,\s*/, join ',', map { qx(dpkg-deb -f $deb $_) } @fields)
        {
            my ($name) = /^([a-z0-9.+-]+)/ or next;
            $names{$name} = 1
                unless $name =~ /^(?:fcfaas|libnginx-mod-http-fcfaas|nginx-abi)/;
        }
    }

    return sort keys %names;
}


sub _commit { $ENV{FCF_UPGRADE_FROM} // 'HEAD~1' }


sub no_before {
    my $root = FcfTest::root();
    my $commit = _commit();

    return undef
        if system("git -C '$root' cat-file -e $commit^{commit} 2>/dev/null") == 0;
    return "there is no $commit in this clone"
        . (-d "$root/.git" && !-e "$root/.git/shallow" ? ''
            : ', which is a shallow one, say: git fetch --deepen=1');
}


sub _must {
    my ($line) = @_;
    my $said = qx(($line) 2>&1);
    die "$line: $said" if $? != 0;
    return $said;
}


sub before {
    my ($class, $change) = @_;
    my $root = FcfTest::root();
    my $dir = FcfTest::tmpdir() . '/before';

    my $commit = _must("git -C '$root' rev-parse " . _commit());
    chomp $commit;

    # with all commits below: packages are numbered by them
    _must("git clone -q --shared --no-checkout '$root' '$dir'");
    _must("git -C '$dir' checkout -q --detach $commit");

    # files that are the same are as old as they are here: make goes by that
    my %other = map { $_ => 1 } split /\0/,
        _must("git -C '$root' diff -z --name-only $commit");
    for my $file (grep { !$other{$_} } split /\0/,
        _must("git -C '$dir' ls-files -z"))
    {
        my ($at) = (stat "$root/$file")[9] or next;
        utime $at, $at, "$dir/$file";
    }

    make_path("$dir/build/nginx");
    for my $path (grep { -e "$root/$_" } @built) {
        _must("cp -a '$root/$path' '$dir/$path'");
    }

    $change->($dir) if $change;

    local %ENV = %ENV;
    _clean();
    _must("cd '$dir' && make -s V=release targets && packaging/deb");
    my @debs = glob "$dir/build/deb/*.deb";
    make_path(my $kept = FcfTest::tmpdir() . '/before-deb');
    rename $_, "$kept/" . s{.*/}{}r or die "$_: $!" for @debs;
    remove_tree($dir);

    return glob "$kept/*.deb";
}

1;
