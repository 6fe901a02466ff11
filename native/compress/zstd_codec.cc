// zstd (RFC 8878) with the system's libzstd, 1.4 or later, whose stable functions are declared
// here.

#include "codec.h"
#include "library.h"

namespace gaidaros {

namespace {

// zstd.h
struct InBuffer {
  const void* src;
  size_t size;
  size_t pos;
};
struct OutBuffer {
  void* dst;
  size_t size;
  size_t pos;
};
constexpr int kLevel = 100;         // ZSTD_c_compressionLevel
constexpr int kWindow = 101;        // ZSTD_c_windowLog
constexpr int kWindowMost = 100;    // ZSTD_d_windowLogMax
constexpr int kSessionOnly = 1;     // ZSTD_reset_session_only
constexpr int kFlush = 1;           // ZSTD_e_flush
constexpr int kEnd = 2;             // ZSTD_e_end
constexpr uint8_t kMagic = 0x28;    // of a frame
constexpr uint8_t kSkipped = 0x50;  // of a frame to be skipped, to 0x5f

constexpr int kUsualLevel = 3;
constexpr int kUsualWindow = 18;         // 1.5 MiB for an encoder; the library's own choice is 21
constexpr int kUsualInflateWindow = 23;  // what every decoder should take (RFC 8878, 3.1.1.1.2)

struct Zstd {
  void* (*create_encoder)();
  size_t (*free_encoder)(void*);
  size_t (*set_encoder)(void*, int parameter, int value);
  size_t (*reset_encoder)(void*, int directive);
  size_t (*compress)(void*, OutBuffer*, InBuffer*, int operation);
  void* (*create_decoder)();
  size_t (*free_decoder)(void*);
  size_t (*set_decoder)(void*, int parameter, int value);
  size_t (*reset_decoder)(void*, int directive);
  size_t (*decompress)(void*, OutBuffer*, InBuffer*);
  unsigned (*is_error)(size_t);

  bool load(std::string& error) {
    Library library("libzstd.so.1", "libzstd1");
    if (library.find("ZSTD_createCCtx", create_encoder) &&
        library.find("ZSTD_freeCCtx", free_encoder) &&
        library.find("ZSTD_CCtx_setParameter", set_encoder) &&
        library.find("ZSTD_CCtx_reset", reset_encoder) &&
        library.find("ZSTD_compressStream2", compress) &&
        library.find("ZSTD_createDCtx", create_decoder) &&
        library.find("ZSTD_freeDCtx", free_decoder) &&
        library.find("ZSTD_DCtx_setParameter", set_decoder) &&
        library.find("ZSTD_DCtx_reset", reset_decoder) &&
        library.find("ZSTD_decompressStream", decompress) && library.find("ZSTD_isError", is_error))
      return true;
    error = library.why();
    return false;
  }
};

class ZstdEncoder final : public Encoder {
 public:
  explicit ZstdEncoder(const Zstd& zstd) : zstd_(zstd), context_(zstd.create_encoder()) {}
  ~ZstdEncoder() override { zstd_.free_encoder(context_); }
  bool open(int level, int window) {
    return context_ != nullptr && !zstd_.is_error(zstd_.set_encoder(context_, kLevel, level)) &&
           !zstd_.is_error(zstd_.set_encoder(context_, kWindow, window));
  }
  Progress encode(std::span<const uint8_t>& input, std::span<uint8_t>& output,
                  Flush flush) override {
    InBuffer in{input.data(), input.size(), 0};
    OutBuffer out{output.data(), output.size(), 0};
    int how = flush == Flush::finish ? kEnd : kFlush;
    size_t left = zstd_.compress(context_, &out, &in, how);
    if (zstd_.is_error(left)) return Progress::broken;
    input = input.subspan(in.pos);
    output = output.subspan(out.pos);
    if (left > 0) return Progress::room;
    return flush == Flush::finish ? Progress::end : Progress::more;
  }
  bool reset() override { return !zstd_.is_error(zstd_.reset_encoder(context_, kSessionOnly)); }

 private:
  const Zstd& zstd_;
  void* context_;
};

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(const Zstd& zstd) : zstd_(zstd), context_(zstd.create_decoder()) {}
  ~ZstdDecoder() override { zstd_.free_decoder(context_); }
  bool open(int window) {
    return context_ != nullptr && !zstd_.is_error(zstd_.set_decoder(context_, kWindowMost, window));
  }
  Progress decode(std::span<const uint8_t>& input, std::span<uint8_t>& output) override {
    while (true) {
      InBuffer in{input.data(), input.size(), 0};
      OutBuffer out{output.data(), output.size(), 0};
      size_t wanted = zstd_.decompress(context_, &out, &in);
      if (zstd_.is_error(wanted)) return Progress::broken;
      input = input.subspan(in.pos);
      output = output.subspan(out.pos);
      if (wanted == 0) return Progress::end;
      if (output.empty()) return Progress::room;
      // It may stop before its input is used up, after a block for one.
      if (input.empty() || (in.pos == 0 && out.pos == 0)) return Progress::more;
    }
  }
  bool reset() override { return !zstd_.is_error(zstd_.reset_decoder(context_, kSessionOnly)); }

 private:
  const Zstd& zstd_;
  void* context_;
};

class ZstdCodec final : public Codec {
 public:
  ZstdCodec(const Zstd& zstd, const CompressOptions& options) : zstd_(zstd), options_(options) {}

  std::unique_ptr<Encoder> encoder() const override {
    auto made = std::make_unique<ZstdEncoder>(zstd_);
    int level = options_.level == CompressOptions::kUsual ? kUsualLevel : options_.level;
    int window = options_.window == 0 ? kUsualWindow : static_cast<int>(options_.window);
    return made->open(level, window) ? std::move(made) : nullptr;
  }
  std::unique_ptr<Decoder> decoder() const override {
    auto made = std::make_unique<ZstdDecoder>(zstd_);
    int window = options_.inflate_window == 0 ? kUsualInflateWindow
                                              : static_cast<int>(options_.inflate_window);
    return made->open(window) ? std::move(made) : nullptr;
  }
  bool joins(uint8_t first) const override { return first == kMagic || (first & 0xf0) == kSkipped; }

 private:
  Zstd zstd_;
  CompressOptions options_;
};

}  // namespace

std::unique_ptr<Codec> make_zstd_codec(const CompressOptions& options, std::string& error) {
  Zstd zstd;
  if (!zstd.load(error)) return nullptr;
  return std::make_unique<ZstdCodec>(zstd, options);
}

}  // namespace gaidaros
