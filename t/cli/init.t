# fcfaas init: what it writes can be deployed as it is, and nothing that was
# there is touched.  What fcfaas.json says is held by deploy.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();

mkdir "$tmp/images" or die;
mkdir "$tmp/work" or die;

my $cli = FcfTest::Cli->new(cwd => "$tmp/work", conf => {
    etcd => $etcd->endpoint, functions => "$tmp/images",
    runtimes => '/nowhere/runtimes' });

for my $runtime (qw(base python3 node)) {
    my $dir = "f-$runtime";
    my $r = $cli->ok('init', '--runtime', $runtime, $dir);

    is_deeply([sort split /\n/, $r->{out}],
        [map { s{^\Q$tmp\E/work/}{}r } glob "$tmp/work/$dir/*"],
        "$runtime: what it wrote is what it says");

    is($cli->json('deploy', $dir, '--no-wait')->{name}, $dir,
        "$runtime: it can be deployed as it is");
    is($etcd->get_json("/specs/$dir")->{runtime}, $runtime, 'for that runtime');

    $cli->refused("$runtime: again", 1, qr{^fcfaas: \Q$dir\E: is not empty: nothing},
        'init', '-r', $runtime, $dir);
}

mkdir "$tmp/work/empty" or die;
my $r = $cli->json({}, 'init', '-r', 'node', 'empty/');
is_deeply($r, { name => 'empty', runtime => 'node',
    files => ['fcfaas.json', 'handler.js'] }, 'in one that is empty');

$cli->refused('a runtime that is near', 2, qr/pyton3: .*; did you mean python3\?$/,
    'init', '-r', 'pyton3', 'x');
$cli->refused('one that is not', 2, qr/--runtime java: .*base, python3 and node/,
    'init', '-r', 'java', 'x');
$cli->refused('none', 2, qr/--runtime: is to say for which/, 'init', 'x');
$cli->refused('no name', 2, qr/^fcfaas: X: "X" cannot be a function's name/, 'init',
    '-r', 'base', 'X');
$cli->refused('no place', 1, qr{^fcfaas: no/where: No such file}, 'init', '-r',
    'base', 'no/where');
$cli->refused('a file', 1, qr{^fcfaas: f-base/answer: Not a directory}, 'init',
    '-r', 'base', 'f-base/answer');
ok(!-e "$tmp/work/$_", "no $_ is left") for qw(x X no);


# fcfaas.json
my $spec = "$tmp/work/f-base/fcfaas.json";
my @deploy = ('deploy', 'f-base', '--no-wait');

spew($spec, '{"memory_mb":200,"port":81,"concurrency":7}');
$cli->ok(@deploy, '--spec', '{"port":82,"concurrency":8}', '--concurrency', 9);
is_deeply([@{ $etcd->get_json('/specs/f-base') }{qw(memory_mb port concurrency
    runtime)}], [200, 82, 9, 'base'],
    'it goes before what was there, --spec before it, flags before all');

system("cd $tmp/work/f-base && tar cf ../f-base.tar *") == 0 or die;
is($cli->json('deploy', 'f-base.tar', '--no-wait', '--name', 'packed')
    ->{name}, 'packed', 'an archive');
is($etcd->get_json('/specs/packed')->{memory_mb}, 200, 'has one, too');

for (['{"memory":1}', 2, qr/^fcfaas: f-base: fcfaas\.json: memory: there is no such field; did you mean memory_mb\?$/],
    ['{"version":7}', 2, qr/fcfaas\.json: version: is not for people/],
    ['[1]', 2, qr/^fcfaas: f-base: fcfaas\.json: is not a JSON object$/],
    ["{\n\"port\":\n}", 2, qr/fcfaas\.json:3: is not a JSON object: /],
    ['{"port":1,"port":2}', 2, qr/is not a JSON object: duplicate/],
    ['{"port":"x"}', 2, qr/port: not an integer/])
{
    my ($text, @want) = @$_;
    spew($spec, $text);
    $cli->refused($text =~ s/\n/ /gr, @want, @deploy);
}

unlink $spec or die;
mkdir $spec or die;
$cli->refused('a directory', 2, qr/fcfaas\.json.*: is not a JSON object/, @deploy);

done_testing;
