package FcfTest::Prom;

# Prometheus' text format, read strictly.
#
#   my $m = FcfTest::Prom->parse($text);    # dies of whatever is not right
#   $m->value('fcfaas_parked');             # undef: no such series
#   $m->value('x_total', function => 'hello', code => '2xx');
#   $m->sum('x_total', function => 'hello');        # over all that match
#   $m->series('x_total');                  # how many
#   $m->type('x_total');                    # counter, gauge, histogram

use strict;
use warnings;

sub parse {
    my ($class, $text) = @_;
    my $self = bless { type => {}, series => {} }, $class;
    my ($family, $help, %over);

    $text =~ /\n\z/ or die "the last line has no end\n";

    for (split /\n/, $text) {
        if (/^# HELP ([a-z_:][a-z0-9_:]*) (\S.*)$/) {
            die "$1: HELP twice\n" if $over{$1};
            $help = $1;
        } elsif (/^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram)$/) {
            die "$1: no HELP before its TYPE\n" unless ($help // '') eq $1;
            die "$1: TYPE twice\n" if $over{$1}++;
            ($family, $self->{type}{$1}) = ($1, $2);
            die "$1: a counter not named _total\n"
                if $2 eq 'counter' && $1 !~ /_total$/;
        } else {
            $self->_sample($family, $_);
        }
    }

    $self->_histograms;
    return $self;
}

sub _sample {
    my ($self, $family, $line) = @_;
    my $label = qr/[a-z_][a-z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"/;
    my ($name, $labels, $value) = $line =~
        /^([a-z_:][a-z0-9_:]*)(?:\{((?:$label)(?:,$label)*)\})? (\S+)$/
        or die "not a sample: $line\n";
    $value =~ /^(?:\d+(?:\.\d+)?|\+Inf)$/ or die "no value: $line\n";

    my $type = defined $family ? $self->{type}{$family} : '';
    my $fits = $type eq 'histogram'
        ? $name =~ /^\Q$family\E_(?:bucket|sum|count)$/
        : defined $family && $name eq $family;
    $fits or die "not of the family before it: $line\n";

    my %l = ($labels // '') =~ /([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"/g;
    my $key = join ',', map { "$_=$l{$_}" } sort keys %l;
    die "twice: $line\n" if exists $self->{series}{$name}{$key};
    $self->{series}{$name}{$key} = { labels => \%l, value => $value };
    push @{ $self->{order}{$name} }, $key;
}

# buckets ascend, and the last is the count
sub _histograms {
    my ($self) = @_;
    for my $family (grep { $self->{type}{$_} eq 'histogram' }
        keys %{ $self->{type} })
    {
        my (%last, %le);
        for my $key (@{ $self->{order}{"${family}_bucket"} // [] }) {
            my $s = $self->{series}{"${family}_bucket"}{$key};
            my %l = %{ $s->{labels} };
            my $le = delete $l{le} // die "$family: a bucket without le\n";
            my $of = join ',', map { "$_=$l{$_}" } sort keys %l;
            die "$family: $of: after +Inf\n" if ($le{$of} // 0) eq '+Inf';
            die "$family: $of: bounds do not ascend\n"
                if $le ne '+Inf' && defined $le{$of} && $le <= $le{$of};
            die "$family: $of: counts go down\n"
                if $s->{value} < ($last{$of} // 0);
            ($le{$of}, $last{$of}) = ($le, $s->{value});
        }
        for my $of (keys %last) {
            die "$family: $of: no +Inf\n" if $le{$of} ne '+Inf';
            my $n = $self->{series}{"${family}_count"}{$of}
                // die "$family: $of: no count\n";
            die "$family: $of: +Inf is not the count\n"
                if $n->{value} != $last{$of};
            $self->{series}{"${family}_sum"}{$of}
                or die "$family: $of: no sum\n";
        }
    }
}

sub _match {
    my ($self, $name, %want) = @_;
    return grep { my $l = $_->{labels};
        !grep { ($l->{$_} // '') ne $want{$_} } keys %want }
        values %{ $self->{series}{$name} // {} };
}

sub value {
    my ($self, $name, %want) = @_;
    my @s = grep { keys %{ $_->{labels} } == keys %want }
        $self->_match($name, %want);
    return @s ? $s[0]{value} : undef;
}

sub sum {
    my $sum = 0;
    $sum += $_->{value} for _match(@_);
    return $sum;
}

sub series { scalar keys %{ $_[0]{series}{$_[1]} // {} } }
sub type   { $_[0]{type}{$_[1]} }

1;
