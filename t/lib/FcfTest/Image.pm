package FcfTest::Image;

# Container images: an OCI layout of layers that the test makes.
#
#   FcfTest::Image::layout($dir, config => { Cmd => [...] },
#       layers => [$tar, { tar => $tar, zip => 'zstd' }],   # or gzip, none
#       tag => 'v1', arch => 'amd64', more => sub { my ($manifest, $config)
#           = @_; ... });
#   FcfTest::Image::end($tar, ...);     # entries of FcfTest::Pack::tar_entry,
#                                       # and an archive's end
#   FcfTest::Image::xattr($path, 'user.note');  # of a file; undef: none
#   FcfTest::Image::busybox(%opt);      # the tar of a root file system

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FcfTest::Pack;

my $type = 'application/vnd.oci.image.';


use constant SYS_getxattr => 191;       # x86_64

sub xattr {
    my ($path, $name) = @_;
    my $value = "\0" x 4096;
    my $n = syscall SYS_getxattr, "$path", "$name", $value, 4096;

    return $n < 0 ? undef : substr $value, 0, $n;
}

sub end { return join('', @_) . "\0" x 1024 }

sub _blob {
    my ($dir, $bytes) = @_;
    my $hex = sha256_hex($bytes);
    FcfTest::spew("$dir/blobs/sha256/$hex", $bytes);
    return (digest => "sha256:$hex", size => length $bytes);
}

sub _zstd {
    my ($dir, $bytes) = @_;
    FcfTest::spew("$dir/z", $bytes);
    my $out = `zstd -q -c $dir/z`;
    unlink "$dir/z";
    return $out;
}

sub layout {
    my ($dir, %opt) = @_;
    my (@layers, @diffs);

    system('mkdir', '-p', "$dir/blobs/sha256") == 0 or die;

    for (@{ $opt{layers} }) {
        my %layer = ref ? %$_ : (tar => $_);
        my $zip = $layer{zip} // 'gzip';
        my $bytes = $zip eq 'gzip' ? FcfTest::Pack::gz($layer{tar})
            : $zip eq 'zstd' ? _zstd($dir, $layer{tar}) : $layer{tar};

        push @diffs, 'sha256:' . sha256_hex($layer{tar});
        push @layers, { mediaType => "${type}layer.v1.tar"
            . ($zip eq 'none' ? '' : "+$zip"), _blob($dir, $bytes) };
    }

    my $config = { architecture => $opt{arch} // 'amd64', os => 'linux',
        config => $opt{config}, rootfs => { type => 'layers',
            diff_ids => \@diffs } };
    my $manifest = { schemaVersion => 2,
        mediaType => "${type}manifest.v1+json",
        config => { mediaType => "${type}config.v1+json" },
        layers => \@layers };

    $opt{more}->($manifest, $config) if $opt{more};
    %{ $manifest->{config} } = (%{ $manifest->{config} },
        _blob($dir, FcfTest::json_encode($config)));

    FcfTest::spew("$dir/oci-layout", '{"imageLayoutVersion":"1.0.0"}');
    FcfTest::spew("$dir/index.json", FcfTest::json_encode({
        schemaVersion => 2, manifests => [{
            mediaType => "${type}manifest.v1+json",
            _blob($dir, FcfTest::json_encode($manifest)),
            annotations => { 'org.opencontainers.image.ref.name' =>
                $opt{tag} // 'v1' } }] }));
    return $dir;
}


# Debian's static busybox, by all the names that a shell script needs
sub busybox {
    my ($path) = grep { -x } '/bin/busybox', '/usr/bin/busybox';
    my @dirs = map { FcfTest::Pack::tar_entry($_, type => 5, mode => 0755) }
        qw(bin/ etc/ usr/ usr/local/ usr/local/bin/);

    return (@dirs, FcfTest::Pack::tar_entry('bin/busybox', mode => 0755,
            text => FcfTest::slurp($path)),
        map { FcfTest::Pack::tar_entry("bin/$_", type => 2, mode => 0777,
            link => 'busybox') } qw(sh httpd id cat env pwd ls printf stat));
}

1;
