# The examples, by the commands that their READMEs tell, in real guests.

use strict;
use warnings;

use lib 't/lib';
use Compress::Zlib qw(compress crc32);
use FcfTest;
use Test::More;

my $top = root();
my $tmp = tmpdir();

# made once, of Debian's packages
system('make', '-s', '-C', $top, map { "build/vm/runtimes/pillow.$_" }
    qw(img entries prepare)) == 0
    or BAIL_OUT('no runtime pillow');
system("$top/vm/functions/markdown/make-function", "$tmp/markdown") == 0
    or BAIL_OUT('no node-marked');

my $s = FcfTest::System->start(vmm => 'qemu',
    env => { PARK_TIMEOUT => '120s' })->up(180);

# in a copy of what READMEs name, so that nothing is made in the tree
mkdir "$tmp/tree";
symlink "$top/vm", "$tmp/tree/vm";
mkdir "$tmp/tree/build";
symlink "$top/build/vm", "$tmp/tree/build/vm";
symlink $s->run_dir, "$tmp/tree/build/run";

# what the commands of a README print, the last one first
sub told {
    my ($name) = @_;
    my $text = slurp("$top/vm/functions/$name/README.md") =~ s/\\\n\s*//gr;
    my @commands = $text =~ /^ {4}(\S.*)$/mg;
    my @said;

    for (grep { !/^make\b|app|registry/ } @commands) {
        my $command = s/deploy /deploy -t 150 /r =~ s/curl /curl -sS --noproxy '*' /r;
        my $out = `cd $tmp/tree && $command 2>$tmp/err`;
        is($?, 0, "$name: $_") or diag(slurp("$tmp/err"));
        unshift @said, $out;
    }

    return @said;
}

sub png {
    my ($width, $height) = @_;
    my $row = "\0" . join '', map { chr($_ * 255 / $width) } 1 .. $width;
    my $chunk = sub { my ($type, $data) = @_;
        pack('N', length $data) . $type . $data
            . pack('N', crc32($type . $data)) };

    return "\x89PNG\r\n\x1a\n" . $chunk->('IHDR', pack('NNC5', $width, $height,
        8, 0, 0, 0, 0)) . $chunk->('IDAT', compress($row x $height))
        . $chunk->('IEND', '');
}

is((told('hello'))[0], "hello from fcfaas\n", 'hello answers');
my @echo = told('echo');
like($echo[0], qr{^GET /a%20b\?x=1$}m, 'echo shows the request');
is($echo[1], 'some text', 'and gives back a body');
is((told('any-image'))[0], "hello from a container image\n",
    'any-image answers');

spew("$tmp/tree/photo.jpg", png(640, 200));
told('resize-image');
my $small = slurp("$tmp/tree/small.jpg");
is(join('x', unpack 'x16 NN', $small), '320x100', 'resize-image answers');
is($s->get('/run/resize-image')->{status}, 405, 'to POST alone');
is(http_post($s->port, '/run/resize-image', 'no image')->{status}, 400,
    'what is none is refused');

like((told('markdown'))[0], qr{^<h1[^>]*>Hello, <em>you</em></h1>$}m,
    'markdown answers');
my $evil = http_post($s->port, '/run/markdown', '<script>x</script>');
is($evil->{status}, 200, 'HTML in it is passed on');
is($evil->{headers}{'content-security-policy'}, "default-src 'none'; sandbox",
    'but not run');
is($s->get('/run/markdown')->{status}, 405, 'to POST alone');
is(http_post($s->port, '/run/markdown', 'x' x ((1 << 20) + 1))->{status}, 413,
    'what is too much is refused');

done_testing;
