#include "http_line.h"

#include <algorithm>
#include <array>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gaidaros::http {
namespace {

enum Class : uint8_t { kToken = 1, kText = 2, kHost = 4, kTarget = 8, kQuoted = 16 };

constexpr std::array<uint8_t, 256> make_classes() {
  std::array<uint8_t, 256> classes{};
  auto add = [&classes](std::string_view bytes, uint8_t what) {
    for (const char byte : bytes) classes[static_cast<uint8_t>(byte)] |= what;
  };
  for (int byte = 0x21; byte <= 0x7e; byte++) classes[byte] |= kText | kTarget | kQuoted;
  for (int byte = 0x80; byte <= 0xff; byte++) classes[byte] |= kText | kQuoted;
  add(" \t", kText | kQuoted);
  for (int letter = 'a'; letter <= 'z'; letter++) {
    classes[letter] |= kToken | kHost;
    classes[letter - 'a' + 'A'] |= kToken | kHost;
  }
  add("0123456789", kToken | kHost);
  add("!#$%&'*+-.^_`|~", kToken);
  // RFC 3986: unreserved, sub-delims but for the comma, what percent-encoding, ports and IPv6 need.
  add("-._~!$&'()*+;=:%[]", kHost);
  classes['#'] &= static_cast<uint8_t>(~kTarget);
  classes['"'] &= static_cast<uint8_t>(~kQuoted);
  classes['\\'] &= static_cast<uint8_t>(~kQuoted);
  return classes;
}
constexpr std::array<uint8_t, 256> kClasses = make_classes();

bool is(char byte, uint8_t what) { return (kClasses[static_cast<uint8_t>(byte)] & what) != 0; }
bool all_are(std::string_view bytes, uint8_t what) {
  return std::all_of(bytes.begin(), bytes.end(), [what](char byte) { return is(byte, what); });
}

// What a field's value may hold, 16 bytes at a time: heads of browsers are mostly that.
bool is_text(std::string_view bytes) {
  size_t at = 0;
#ifdef __SSE2__
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; bytes.size() - at >= sizeof(__m128i); at += sizeof(__m128i)) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(here, last_control), here);
    const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(here, tab), control),
                                     _mm_cmpeq_epi8(here, del));
    if (_mm_movemask_epi8(bad) != 0) return false;
  }
#endif
  return all_are(bytes.substr(at), kText);
}

char lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 'a' - 'A') : byte;
}
// `word` is in lower case.
bool is_word(std::string_view bytes, std::string_view word) {
  return bytes.size() == word.size() && std::equal(bytes.begin(), bytes.end(), word.begin(),
                                                   [](char a, char b) { return lower(a) == b; });
}

bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }
std::string_view trimmed(std::string_view bytes) {
  while (!bytes.empty() && is_blank(bytes.front())) bytes.remove_prefix(1);
  while (!bytes.empty() && is_blank(bytes.back())) bytes.remove_suffix(1);
  return bytes;
}

// Calls `each` with the trimmed elements of a comma list.
template <class Each>
void split_list(std::string_view list, Each each) {
  for (;;) {
    const size_t comma = list.find(',');
    each(trimmed(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// Those that Node's parser knows, but for CONNECT: behind its head there are no requests any more.
constexpr std::array<std::string_view, 34> kMethods = {
    "ACL",       "BIND",   "CHECKOUT", "COPY",   "DELETE",     "GET",        "HEAD",
    "LINK",      "LOCK",   "M-SEARCH", "MERGE",  "MKACTIVITY", "MKCALENDAR", "MKCOL",
    "MOVE",      "NOTIFY", "OPTIONS",  "PATCH",  "POST",       "PROPFIND",   "PROPPATCH",
    "PURGE",     "PUT",    "QUERY",    "REBIND", "REPORT",     "SEARCH",     "SOURCE",
    "SUBSCRIBE", "TRACE",  "UNBIND",   "UNLINK", "UNLOCK",     "UNSUBSCRIBE"};

bool is_method(std::string_view method) {
  if (method == "GET" || method == "POST") return true;
  return std::binary_search(kMethods.begin(), kMethods.end(), method);
}

// A URI of this scheme with a host (RFC 9110, 4.2.1), and nobody in front of it (4.2.4).
bool is_uri(std::string_view target, std::string_view scheme) {
  if (target.size() <= scheme.size() || !is_word(target.substr(0, scheme.size()), scheme))
    return false;
  const std::string_view rest = target.substr(scheme.size());
  const std::string_view host = rest.substr(0, rest.find_first_of("/?"));
  return !host.empty() && all_are(host, kHost);
}

bool is_target(std::string_view target, std::string_view method) {
  if (!all_are(target, kTarget)) return false;
  if (target.front() == '/') return true;
  if (target == "*") return method == "OPTIONS";
  return is_uri(target, "http://") || is_uri(target, "https://");
}

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

constexpr size_t kMostDigits = 15;  // every number of so many is exact, in JS too

uint16_t read_length(std::string_view value, Facts& facts) {
  if (facts.has(kHasLength | kIsChunked)) return 400;
  if (value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) return 400;
  value.remove_prefix(std::min(value.find_first_not_of('0'), value.size()));
  if (value.size() > kMostDigits) return 413;
  uint64_t length = 0;
  for (const char digit : value) length = length * 10 + static_cast<uint64_t>(digit - '0');
  facts.length = static_cast<uint32_t>(std::min<uint64_t>(length, UINT32_MAX));
  facts.known |= kHasLength;
  return 0;
}

// A coding that exists, which we do not have.
bool is_known_coding(std::string_view coding) {
  constexpr std::array<std::string_view, 5> kCodings = {"gzip", "x-gzip", "compress", "x-compress",
                                                        "deflate"};
  return std::any_of(kCodings.begin(), kCodings.end(),
                     [coding](std::string_view known) { return is_word(coding, known); });
}

uint16_t read_coding(std::string_view value, Facts& facts) {
  if (facts.has(kHasLength | kIsChunked | kIsOld)) return 400;
  if (is_word(value, "chunked")) {
    facts.known |= kIsChunked;
    return 0;
  }
  const size_t comma = value.rfind(',');
  if (comma == std::string_view::npos || !is_word(trimmed(value.substr(comma + 1)), "chunked"))
    return 400;
  bool are_known = true;
  split_list(value.substr(0, comma),
             [&](std::string_view coding) { are_known = are_known && is_known_coding(coding); });
  return are_known ? 501 : 400;
}

uint16_t read_host(std::string_view value, Facts& facts) {
  if (facts.has(kHasHost) || !all_are(value, kHost)) return 400;
  facts.known |= kHasHost;
  return 0;
}

uint16_t read_connection(std::string_view value, Facts& facts) {
  split_list(value, [&facts](std::string_view wish) {
    if (is_word(wish, "close")) facts.known |= kAsksClose;
    if (is_word(wish, "keep-alive")) facts.known |= kAsksKeep;
  });
  return 0;
}

uint16_t read_expectation(std::string_view value, Facts& facts) {
  if (facts.has(kIsOld)) return 0;
  if (!is_word(value, "100-continue")) return 417;
  facts.known |= kExpects;
  return 0;
}

struct Field {
  bool is_valid = false;
  std::string_view name;
  std::string_view value;
};

Field split_field(std::string_view line) {
  size_t colon = 0;
  while (colon < line.size() && is(line[colon], kToken)) colon++;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return {};
  const std::string_view value = trimmed(line.substr(colon + 1));
  return {is_text(value), line.substr(0, colon), value};
}

// Reads a token from `at` on; false where there is none.
bool skip_token(std::string_view text, size_t& at) {
  const size_t from = at;
  while (at < text.size() && is(text[at], kToken)) at++;
  return at > from;
}

bool skip_quoted(std::string_view text, size_t& at) {
  for (at++; at < text.size(); at++) {
    if (text[at] == '"') {
      at++;
      return true;
    }
    if (text[at] == '\\')
      at++;
    else if (!is(text[at], kQuoted))
      return false;
    if (at < text.size() && !is(text[at], kText)) return false;
  }
  return false;
}

// *( ";" token [ "=" ( token / quoted-string ) ] ), without any white space.
bool are_extensions(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (text[at++] != ';' || !skip_token(text, at)) return false;
    if (at == text.size() || text[at] != '=') continue;
    at++;
    const bool is_quoted = at < text.size() && text[at] == '"';
    if (is_quoted ? !skip_quoted(text, at) : !skip_token(text, at)) return false;
  }
  return true;
}

int hex_digit(char byte) {
  if (is_digit(byte)) return byte - '0';
  const char letter = lower(byte);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

bool is_token_char(uint8_t byte) { return (kClasses[byte] & kToken) != 0; }

uint16_t read_request_line(std::string_view line, Facts& facts) {
  size_t space = 0;
  if (!skip_token(line, space) || space == line.size() || line[space] != ' ') return 400;
  const std::string_view method = line.substr(0, space);
  constexpr std::string_view kVersion = " HTTP/1.1";
  const std::string_view rest = line.substr(space + 1);
  if (rest.size() <= kVersion.size()) return 400;
  const std::string_view target = rest.substr(0, rest.size() - kVersion.size());
  const std::string_view version = rest.substr(target.size());
  if (target.find(' ') != std::string_view::npos) return 400;
  if (version.substr(0, 6) != kVersion.substr(0, 6) || !is_digit(version[6]) || version[7] != '.' ||
      !is_digit(version[8]))
    return 400;
  if (version[6] != '1' || version[8] > '1') return 505;
  if (!is_method(method)) return 501;
  if (!is_target(target, method)) return 400;
  if (version[8] == '0') facts.known |= kIsOld;
  if (method == "HEAD") facts.known |= kIsHead;
  return 0;
}

uint16_t read_field(std::string_view line, Facts& facts) {
  const Field field = split_field(line);
  if (!field.is_valid) return 400;
  switch (field.name.size()) {
    case 4:
      return is_word(field.name, "host") ? read_host(field.value, facts) : 0;
    case 6:
      return is_word(field.name, "expect") ? read_expectation(field.value, facts) : 0;
    case 10:
      return is_word(field.name, "connection") ? read_connection(field.value, facts) : 0;
    case 14:
      return is_word(field.name, "content-length") ? read_length(field.value, facts) : 0;
    case 17:
      return is_word(field.name, "transfer-encoding") ? read_coding(field.value, facts) : 0;
    default:
      return 0;
  }
}

uint16_t read_trailer(std::string_view line) {
  const Field field = split_field(line);
  const bool frames = is_word(field.name, "content-length") || is_word(field.name, "host") ||
                      is_word(field.name, "transfer-encoding");
  return field.is_valid && !frames ? 0 : 400;
}

ChunkLine read_chunk_line(std::string_view line, uint32_t max_extension) {
  ChunkLine chunk;
  size_t at = 0;
  for (int digit; at < line.size() && (digit = hex_digit(line[at])) >= 0; at++) {
    if (at == kChunkDigits) return {400};
    chunk.size = chunk.size << 4 | static_cast<uint64_t>(digit);
  }
  const std::string_view extension = line.substr(at);
  if (at == 0 || (max_extension > 0 && extension.size() > max_extension)) return {400};
  if (!are_extensions(extension)) return {400};
  return chunk;
}

}  // namespace gaidaros::http
