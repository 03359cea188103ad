package FcfSetup::Token;

# Tokens by which machines join.  One says where the head is, which CA it has,
# and a secret that the head never hears: what is asked is signed with a key
# made of it, which the head keeps, beside what the token is good for.
#
#   version, role, address (4), port (2), SHA-256 of the CA's certificate (32),
#   secret (16), and of all this 4 bytes of SHA-256, so that a slip is seen

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex hmac_sha256_hex);
use Exporter qw(import);
use FcfSetup::Files qw(slurp put_anew random_hex);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);

our @EXPORT_OK = qw(new_token read_token outstanding keep_token mac_of
    token_id seconds_of);

use constant { VERSION => 1, LENGTH => 60,
    KEPT_S => 7 * 86400 };

my $begin = 'fcf1_';
my @roles = qw(node gateway);


sub seconds_of {
    my ($text) = @_;
    my %in = (s => 1, m => 60, h => 3600, d => 86400);

    return $text =~ /^([1-9]\d{0,5})([smhd])$/ ? $1 * $in{$2} : undef;
}


# new_token(role => ..., address => "10.0.0.1:8443", fingerprint => hex)
sub new_token {
    my (%of) = @_;
    my ($ip, $port) = split /:/, $of{address};
    my ($role) = grep { $roles[$_] eq $of{role} } 0 .. $#roles;
    my $text = pack('CCC4n', VERSION, $role, split(/\./, $ip), $port)
        . pack('H64', $of{fingerprint}) . pack('H32', random_hex(16));

    return $begin . encode_base64url($text . substr sha256($text), 0, 4);
}


# (what it says, undef), or (undef, what is wrong with it)
sub read_token {
    my ($token) = @_;

    $token =~ s/^\s+|\s+$//g;
    return (undef, 'that is no token: fcfaas-setup token, on the head, makes '
        . 'one') unless $token =~ /^$begin([\w-]*)$/a;

    my $text = decode_base64url($1);
    my $sum = length $token == 85 && length $text == LENGTH
        ? substr $text, -4, 4, '' : '';
    return (undef, 'the token is mistyped, or a part of it is missing')
        unless $sum ne '' && $sum eq substr sha256($text), 0, 4;

    my ($version, $role, @rest) = unpack 'CCC4nH64H32', $text;
    return (undef, 'the token is one of a newer fcfaas-setup')
        unless $version == VERSION && defined $roles[$role];

    return ({ role => $roles[$role], address => join('.', @rest[0 .. 3])
        . ":$rest[4]", fingerprint => $rest[5],
        id => token_id($rest[6]), key => token_key($rest[6]) }, undef);
}


sub token_id  { substr sha256_hex("fcfaas id $_[0]"), 0, 32 }
sub token_key { sha256_hex("fcfaas key $_[0]") }

# of fields, none of which holds what stands between them
sub mac_of {
    my ($key, @fields) = @_;
    return hmac_sha256_hex(join("\0", @fields), $key);
}


# What the head keeps of a token; that long after its end it can say what was
# wrong with it.  (id => what is kept) of all.
sub outstanding {
    my ($dir, $now) = @_;
    my %all;

    for my $file (glob "$dir/*") {
        my ($id) = $file =~ m{/([0-9a-f]{32})$} or next;
        my $kept = eval { JSON::PP->new->decode(slurp($file)) } or next;
        if ($kept->{ends} + KEPT_S < $now) {
            unlink $file;
        } else {
            $all{$id} = $kept;
        }
    }

    return %all;
}


sub keep_token {
    my ($dir, $id, $kept) = @_;
    put_anew("$dir/$id", JSON::PP->new->canonical->encode($kept) . "\n", 0600);
}

1;
