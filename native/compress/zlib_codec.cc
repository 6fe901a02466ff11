// zlib and gzip (RFC 1950, 1952) with the zlib that the node binary exports. Declared here, so that
// nothing but the library itself decides whether it can be had; its interface has been stable since
// version 1.2.

#include "codec.h"
#include "library.h"

namespace gaidaros {

namespace {

// zlib.h
struct ZStream {
  const uint8_t* next_in;
  unsigned avail_in;
  unsigned long total_in;
  uint8_t* next_out;
  unsigned avail_out;
  unsigned long total_out;
  const char* msg;
  void* state;
  void* (*zalloc)(void*, unsigned, unsigned);
  void (*zfree)(void*, void*);
  void* opaque;
  int data_type;
  unsigned long adler;
  unsigned long reserved;
};
constexpr int kNoFlush = 0;
constexpr int kSyncFlush = 2;
constexpr int kFinish = 4;
constexpr int kOk = 0;
constexpr int kStreamEnd = 1;
constexpr int kBufError = -5;
constexpr int kDeflated = 8;
constexpr int kDefaultStrategy = 0;
constexpr const char* kVersion = "1";  // of which it compares the first digit
constexpr int kGzip = 16;              // added to the window: a header and a trailer of gzip

constexpr int kUsualMemory = 8;
constexpr int kLargestWindow = 15;
constexpr uint8_t kMagic = 0x1f;

struct Zlib {
  int (*deflate_init)(ZStream*, int level, int method, int window, int memory, int strategy,
                      const char* version, int size);
  int (*deflate)(ZStream*, int flush);
  int (*deflate_reset)(ZStream*);
  int (*deflate_end)(ZStream*);
  int (*inflate_init)(ZStream*, int window, const char* version, int size);
  int (*inflate)(ZStream*, int flush);
  int (*inflate_reset)(ZStream*);
  int (*inflate_end)(ZStream*);

  bool load(std::string& error) {
    Library library("libz.so.1", "zlib1g");
    if (library.find("deflateInit2_", deflate_init) && library.find("deflate", deflate) &&
        library.find("deflateReset", deflate_reset) && library.find("deflateEnd", deflate_end) &&
        library.find("inflateInit2_", inflate_init) && library.find("inflate", inflate) &&
        library.find("inflateReset", inflate_reset) && library.find("inflateEnd", inflate_end))
      return true;
    error = library.why();
    return false;
  }
};

// Runs one step over spans that are then what is left of them.
template <class Step>
Progress run(ZStream& stream, std::span<const uint8_t>& input, std::span<uint8_t>& output,
             Step step) {
  stream.next_in = input.data();
  stream.avail_in = static_cast<unsigned>(input.size());
  stream.next_out = output.data();
  stream.avail_out = static_cast<unsigned>(output.size());
  int result = step(&stream);
  input = input.last(stream.avail_in);
  output = output.last(stream.avail_out);
  if (result == kStreamEnd) return Progress::end;
  if (result != kOk && result != kBufError) return Progress::broken;
  return stream.avail_out == 0 ? Progress::room : Progress::more;
}

class Deflater final : public Encoder {
 public:
  explicit Deflater(const Zlib& zlib) : zlib_(zlib) {}
  ~Deflater() override { zlib_.deflate_end(&stream_); }
  bool open(int level, int window, int memory) {
    return zlib_.deflate_init(&stream_, level, kDeflated, window, memory, kDefaultStrategy,
                              kVersion, sizeof stream_) == kOk;
  }
  Progress encode(std::span<const uint8_t>& input, std::span<uint8_t>& output,
                  Flush flush) override {
    int how = flush == Flush::finish ? kFinish : kSyncFlush;
    return run(stream_, input, output, [&](ZStream* s) { return zlib_.deflate(s, how); });
  }
  bool reset() override { return zlib_.deflate_reset(&stream_) == kOk; }

 private:
  const Zlib& zlib_;
  ZStream stream_{};
};

class Inflater final : public Decoder {
 public:
  explicit Inflater(const Zlib& zlib) : zlib_(zlib) {}
  ~Inflater() override { zlib_.inflate_end(&stream_); }
  bool open(int window) {
    return zlib_.inflate_init(&stream_, window, kVersion, sizeof stream_) == kOk;
  }
  Progress decode(std::span<const uint8_t>& input, std::span<uint8_t>& output) override {
    return run(stream_, input, output, [&](ZStream* s) { return zlib_.inflate(s, kNoFlush); });
  }
  bool reset() override { return zlib_.inflate_reset(&stream_) == kOk; }

 private:
  const Zlib& zlib_;
  ZStream stream_{};
};

class ZlibCodec final : public Codec {
 public:
  ZlibCodec(const Zlib& zlib, const CompressOptions& options) : zlib_(zlib), options_(options) {}

  std::unique_ptr<Encoder> encoder() const override {
    auto made = std::make_unique<Deflater>(zlib_);
    int window = options_.window == 0 ? kLargestWindow : static_cast<int>(options_.window);
    int memory = options_.memory == 0 ? kUsualMemory : static_cast<int>(options_.memory);
    return made->open(options_.level, window + wrapper(), memory) ? std::move(made) : nullptr;
  }
  // Of the largest window: the peer chooses its own.
  std::unique_ptr<Decoder> decoder() const override {
    auto made = std::make_unique<Inflater>(zlib_);
    return made->open(kLargestWindow + wrapper()) ? std::move(made) : nullptr;
  }
  // Members of gzip follow one another, and tapes are filled up behind them.
  bool joins(uint8_t first) const override { return pads() && first == kMagic; }
  bool pads() const override { return options_.method == Method::gzip; }

 private:
  int wrapper() const { return options_.method == Method::gzip ? kGzip : 0; }

  Zlib zlib_;
  CompressOptions options_;
};

}  // namespace

std::unique_ptr<Codec> make_zlib_codec(const CompressOptions& options, std::string& error) {
  Zlib zlib;
  if (!zlib.load(error)) return nullptr;
  return std::make_unique<ZlibCodec>(zlib, options);
}

}  // namespace gaidaros
