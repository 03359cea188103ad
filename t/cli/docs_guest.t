# The functions that docs/functions.md tells how to make, by its commands, in
# real guests: JSON in Python, a shell, node with a package from npm.  What
# they print is t/e2e/docs.t's not to see, since its guests are none.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $top = root();
is(system("cd '$top' && make -s build/vm/runtimes/python3.img "
    . 'build/vm/runtimes/node.img >&2'), 0, 'the runtimes are made');

my $s = FcfTest::System->start(vmm => 'qemu',
    env => { PARK_TIMEOUT => '180s' })->up(180);
my $cli = $s->cli;
my $dir = tmpdir();

my ($text) = slurp("$top/docs/functions.md")
    =~ /^## A function of your own\n(.*?)^`make deploy` is /ms;
my @commands;

for (map { s/^ {4}//r } grep { /^ {4}/ || ($commands[-1] // '') =~ /<<'END'/ }
    split /\n/, $text)
{
    if (@commands && $commands[-1] =~ /<<'END'/
        && $commands[-1] !~ /\nEND\n?\z/)
    {
        $commands[-1] .= "\n$_";
    } elsif (/\S/) {
        push @commands, $_;
    }
}

my %want = (
    hi => qr/^\{"hello": "Ada", "got": "some text"\}$/,
    greet => qr/^hi$/,
    when => qr/^\{"in":172800000\}$/,
);
my ($no_npm, %said);

for my $command (@commands) {
    my $run = $command;

    if ($run =~ /npm /) {
        $no_npm = system("cd $dir && timeout 300 sh -c '$run' >&2") != 0;
        next;
    }

    next if $no_npm && $run =~ /\bwhen\b/;
    $run =~ s{^make deploy DIR=(\S+)(?: SPEC=(.*))?$}
        {"build/run/fcfaas deploy $1" . ($2 ? " --spec $2" : '')}e;
    $run =~ s{^build/run/fcfaas}{FCFAAS_CONF='${\$cli->conf_path}' ${\FcfTest::Cli::binary()}};
    $run =~ s{127\.0\.0\.1:8080}{127.0.0.1:${\$s->port}};
    $run =~ s/^curl /curl -sSf --noproxy '*' -m 200 /;
    $run .= ' --timeout 180' if $run =~ / deploy /;
    spew("$dir/command", "$run\n");
    my $out = `cd $dir && sh ./command 2>&1`;
    is($?, 0, (split /\n/, $command)[0]) or diag($out);
    $said{$1} = $out if $command =~ m{^curl .*/run/([a-z]+)};
}

SKIP: {
    for my $name (sort keys %want) {
        skip 'npm has not what the function wants', 1
            if $no_npm && $name eq 'when';
        like($said{$name} // '', $want{$name}, "$name: its answer");
    }
}

done_testing();
