package FcfSetup::Files;

# Where things are, and files that are written whole or not at all: each only
# where there is none, since what is there is what people, or a run before,
# made it.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(O_CREAT O_EXCL O_WRONLY);
use FcfSetup::Say qw(fail wrote);
use Errno ();
use IO::Handle;

our @EXPORT_OK = qw($etc $lib $var slurp put put_anew edit make_dir random_hex secret);

our $etc = '/etc/fcfaas';
our $lib = '/usr/lib/fcfaas';
our $var = '/var/lib/fcfaas';


sub slurp {
    my ($path) = @_;
    open my $f, '<', $path or return undef;
    local $/;
    return scalar <$f>;
}


# false where there is one
sub put {
    my ($path, @rest) = @_;

    return 0 if -e $path;

    put_anew($path, @rest);
    wrote($path);
    return 1;
}


# A file that is complete or as it was; its group is a name.
sub put_anew {
    my ($path, $text, $mode, $group) = @_;

    # whoever opened it before it has its mode could read it later
    unlink "$path.new";
    sysopen my $f, "$path.new", O_WRONLY | O_CREAT | O_EXCL, 0600
        or fail("cannot write $path: $!");
    my $ok = (!defined $group || chown 0, scalar getgrnam($group) // 0, $f)
        && chmod($mode // 0644, $f)
        && print({$f} $text) && $f->flush && $f->sync && close $f
        && rename "$path.new", $path;

    if (!$ok) {
        my $why = $!;
        close $f;
        unlink "$path.new";
        fail("cannot write $path: $why");
    }
}


# With what the function makes of its text; false where that is the same.
sub edit {
    my ($path, $change) = @_;
    my $text = slurp($path) // return 0;
    my $new = $change->($text);

    return 0 if $new eq $text;

    my ($mode, $gid) = (stat $path)[2, 5];
    put_anew($path, $new, $mode & 0777, scalar getgrgid $gid);
    wrote("$path, changed");
    return 1;
}


sub make_dir {
    my ($path, $mode) = @_;
    return if mkdir $path, $mode;
    $!{EEXIST} or fail("cannot make $path: $!");
}


sub random_hex {
    my ($bytes) = @_;
    open my $f, '<:raw', '/dev/urandom' or fail("/dev/urandom: $!");
    read($f, my $random, $bytes) == $bytes or fail("/dev/urandom: $!");
    return unpack 'H*', $random;
}


sub secret {
    my ($name) = @_;
    my $text = slurp("$etc/$name") // fail("cannot read $etc/$name: $!");
    chomp $text;
    return $text;
}

1;
