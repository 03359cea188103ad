#!/usr/bin/perl

# The runtimes as images, made of Debian's packages: what becomes of a
# function's directory with them, and one of each in a real guest.  What they
# do with a function's code: runtime_python.t, runtime_node.t, frameworks.t.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest;
use FcfTest::Runtime qw(function);
use Test::More;

my $top = root();

packing();

SKIP: {
    skip no_guest(), 1 if no_guest();
    my @images = map { "build/vm/runtimes/$_.img" } qw(base python3 node);
    is(system("cd $top && make -s @images >&2"), 0, 'the images are made')
        or last;

    lay_guest_network('runtimes');
    in_base();
    in_python();
    in_node();
}

done_testing();


# vm/mkfunction for code without bootstrap
sub packing {
    my $code = function('handler.py' => "def handle(r):\n    return 'x'\n");

    my $out = qx{$top/vm/mkfunction $code $code.img 2>&1};
    like($out, qr/no bootstrap in it/, 'base needs a bootstrap');
    $out = qx{$top/vm/mkfunction $code $code.img node 2>&1};
    like($out, qr/no bootstrap in it, nor .*package\.json/,
        'node needs what node knows');
    $out = qx{$top/vm/mkfunction $code $code.img nosuch 2>&1};
    like($out, qr/there is no runtime "nosuch", but base, .*node.*python3/,
        'an unknown runtime');
    ok(! -e "$code.img", 'no image is made');
    $out = qx{$top/vm/runtimes/build ../x $code.img 2>&1};
    like($out, qr/a name is of a-z/, 'a runtime of a bad name');
    $out = qx{$top/vm/runtimes/build nosuch $code.img 2>&1};
    like($out, qr{nosuch/packages: no such file}, 'one that is not there');
    own();
}


# one of one's own
sub own {
    my $dir = tmpdir();
    my $build = "$dir/runtimes/build";

    mkdir "$dir/runtimes" or die $!;
    symlink "$top/vm/mkimage", "$dir/mkimage" or die $!;
    spew($build, slurp("$top/vm/runtimes/build"));

    my %of = (empty => '', comments => "# nothing yet\n\n", less => "-libc6\n",
        wrong => "no-such-package-ever\n");
    for my $name (keys %of) {
        mkdir "$dir/runtimes/$name" or die $!;
        spew("$dir/runtimes/$name/packages", $of{$name});
        my $out = qx{sh $build $name $dir/x.img 2>&1};
        isnt($?, 0, "$name: is refused");
        like($out, $name eq 'wrong' ? qr/package no-such-package-ever/
            : qr{$name/packages names no package}, 'and says why');
        ok(! -e "$dir/x.img", 'no image is made');
    }

    # what make makes of one that is like another
    my $image = 'build/vm/runtimes/pillow.img';
    my $made = qx{cd $top && make -n -W vm/runtimes/python3/entries $image 2>&1};
    like($made, qr{cp vm/runtimes/python3/entries build/vm/runtimes/pillow\.},
        'with its image come the names of what it starts');
}


sub in_base {
    my $vm = boot(shell(<<'END'));
grep -c 'BEGIN CERT' /etc/ssl/certs/ca-certificates.crt
echo "summer $(TZ=:/usr/share/zoneinfo/Europe/Berlin date -d @1690000000 +%H)"
exec nc -ll -p 80 -e true
END
    reach($vm, 80);
    my $c = tcp(1024);
    op($c, { op => 'logs' });
    my $text = follow($c, qr/summer/)->{stdout};
    like($text, qr/^1\d\d$/m, 'CA certificates');
    stop($vm);
}


sub in_python {
    my $vm = boot(image(runtime => 'python3', 'handler.py' => <<'END',
import hashlib, os, sqlite3, ssl, sys, uuid, zlib, zoneinfo, datetime
print('printed at start')
def handle(request):
    if request.path == '/throw': raise ValueError('guest kaput')
    zone = zoneinfo.ZoneInfo('Europe/Berlin')
    return {'version': list(sys.version_info[:2]), 'got': request.text(),
            'uid': os.getuid(), 'cached': __spec__.cached,
            'compiled': os.path.exists(__spec__.cached),
            'offset': datetime.datetime(2023, 7, 1, tzinfo=zone)
                .utcoffset().total_seconds(),
            'certificates': len(ssl.create_default_context().get_ca_certs())}
END
        'requirements.txt' => ''), runtime => 'python3');
    reach($vm, 80);

    my $r = request('/x', method => 'POST', body => 'hello');
    is($r->{status}, 200, 'python3 in a guest');
    my $got = json_decode($r->{body});
    is_deeply($got->{version}, [3, 11], "Debian's");
    is($got->{got}, 'hello', 'a body');
    is($got->{uid}, 1000, 'as an unprivileged user');
    is($got->{offset}, 7200, 'with time zones');
    cmp_ok($got->{certificates}, '>', 100, 'and CA certificates');
    ok($got->{compiled}, "the function's own code is compiled: "
        . ($got->{cached} // ''));

    is(request('/throw')->{status}, 500, 'an error');
    my $c = tcp(1024);
    op($c, { op => 'logs' });
    my $out = follow($c, qr/guest kaput/);
    like($out->{stdout}, qr/^printed at start$/m, 'its output');
    like($out->{stderr}, qr/^ValueError: guest kaput$/m, 'its errors');
    stop($vm);
}


sub in_node {
    my $vm = boot(image(runtime => 'node', 'handler.js' => <<'END'),
exports.handler = async (request) => ({ version: process.version,
    got: await request.text(), uid: process.getuid(),
    offset: new Date(2023, 6, 1).toLocaleString('de-DE',
        { timeZone: 'Europe/Berlin', hour: 'numeric' }),
    roots: require('tls').rootCertificates.length });
END
        runtime => 'node', memory => 256);
    reach($vm, 80);
    my $r = request('/x', method => 'POST', body => 'hello');
    is($r->{status}, 200, 'node in a guest');
    my $got = json_decode($r->{body});
    like($got->{version}, qr/^v18\./, "Debian's");
    is($got->{got}, 'hello', 'a body');
    is($got->{uid}, 1000, 'as an unprivileged user');
    like($got->{offset}, qr/^0?2/, 'with time zones');
    stop($vm);
}
