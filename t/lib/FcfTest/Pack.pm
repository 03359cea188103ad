package FcfTest::Pack;

# Archives, also such as no honest program makes.
#
#   entries: path => text, [mode, text], or \'target' of a link
#   FcfTest::Pack::tar(%entries);  FcfTest::Pack::zip(%entries);   # bytes
#   FcfTest::Pack::tar_entry($name, type => 5, mode => 0755, text => '',
#       link => 'target', uid => 0, gid => 0,
#       xattr => { 'user.a' => 'value' });  # one, without an archive's end
#   FcfTest::Pack::gz($bytes);
#   FcfTest::Pack::entries($dir);   # of what is there

use strict;
use warnings;

use File::Find ();
use IO::Compress::Gzip ();
use IO::Compress::Zip ();


sub tar_entry {
    my ($name, %opt) = @_;
    my $text = $opt{text} // '';
    my $pax = '';

    for my $x (sort keys %{ $opt{xattr} // {} }) {
        my $body = " SCHILY.xattr.$x=$opt{xattr}{$x}\n";
        my $len = length($body) + 1;
        $len++ while length($len) + length($body) != $len;
        $pax .= $len . $body;
    }

    my $before = $pax eq '' ? ''
        : tar_entry('PaxHeader', type => 'x', text => $pax);
    my $head = pack 'a100 a8 a8 a8 a12 a12 a8 a1 a100 a6 a2 a32 a32 a8 a8 '
        . 'a155 a12', $name, sprintf('%07o', $opt{mode} // 0644),
        sprintf('%07o', $opt{uid} // 0), sprintf('%07o', $opt{gid} // 0), sprintf('%011o', length $text), sprintf('%011o', 1e9),
        ' ' x 8, $opt{type} // 0, $opt{link} // '', "ustar", '00', '', '',
        '0000001', '0000001', '', '';

    substr $head, 148, 8, sprintf "%06o\0 ", unpack '%32C*', $head;
    return $before . $head . $text . "\0" x (-length($text) % 512);
}

sub _parts {
    my ($it) = @_;
    return ref $it eq 'SCALAR' ? (link => $$it)
        : ref $it ? (mode => $it->[0], text => $it->[1]) : (text => $it);
}

sub tar {
    my (%entries) = @_;
    return join('', map {
        my %is = _parts($entries{$_});
        tar_entry($_, %is, exists $is{link} ? (type => 2) : ());
    } reverse sort keys %entries) . "\0" x 1024;
}


sub gz {
    my ($bytes) = @_;
    my $out;
    IO::Compress::Gzip::gzip(\$bytes, \$out) or die 'gzip';
    return $out;
}


sub zip {
    my (%entries) = @_;
    my ($zip, $out);

    for my $name (reverse sort keys %entries) {
        my %is = _parts($entries{$name});
        my $mode = exists $is{link} ? 0120777 : 0100000 | ($is{mode} // 0644);
        my @head = (Name => $name, ExtAttr => $mode << 16, Time => 1e9);

        if ($zip) {
            $zip->newStream(@head) or die 'zip';
        } else {
            $zip = IO::Compress::Zip->new(\$out, @head) or die 'zip';
        }

        $zip->print($is{link} // $is{text});
    }

    return pack 'V x18', 0x06054b50 unless $zip;
    $zip->close;
    return $out;
}


sub entries {
    my ($dir) = @_;
    my %found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        return if -d && ! -l;
        my $name = substr $_, length($dir) + 1;
        $found{$name} = -l ? \(my $to = readlink)
            : [(stat)[2] & 0777, FcfTest::slurp($_)];
    } }, $dir);

    return %found;
}

1;
