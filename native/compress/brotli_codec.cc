// brotli (RFC 7932) with the library that the node binary exports, else the system's. Its stable
// functions are declared here.

#include "codec.h"
#include "library.h"

namespace gaidaros {

namespace {

// brotli/encode.h, brotli/decode.h
constexpr int kQuality = 1;         // BROTLI_PARAM_QUALITY
constexpr int kWindow = 2;          // BROTLI_PARAM_LGWIN
constexpr int kOperationFlush = 1;  // BROTLI_OPERATION_FLUSH
constexpr int kOperationFinish = 2;
constexpr int kResultError = 0;  // BROTLI_DECODER_RESULT_ERROR
constexpr int kResultSuccess = 1;
constexpr int kResultMoreOutput = 3;

constexpr int kUsualLevel = 4;
constexpr int kUsualWindow = 18;  // the library's own choice is 22, some 10 MiB for an encoder
constexpr uint32_t kLargestWindow = 24;

struct Brotli {
  void* (*create_encoder)(void* allocate, void* free, void* opaque);
  void (*destroy_encoder)(void*);
  int (*set_encoder)(void*, int parameter, uint32_t value);
  int (*compress)(void*, int operation, size_t* available_in, const uint8_t** next_in,
                  size_t* available_out, uint8_t** next_out, size_t* total_out);
  int (*has_more)(void*);
  void* (*create_decoder)(void* allocate, void* free, void* opaque);
  void (*destroy_decoder)(void*);
  int (*decompress)(void*, size_t* available_in, const uint8_t** next_in, size_t* available_out,
                    uint8_t** next_out, size_t* total_out);
  int (*has_more_decoded)(const void*);

  bool load(std::string& error) {
    Library encoder("libbrotlienc.so.1", "libbrotli1");
    Library decoder("libbrotlidec.so.1", "libbrotli1");
    if (!encoder.find("BrotliEncoderCreateInstance", create_encoder) ||
        !encoder.find("BrotliEncoderDestroyInstance", destroy_encoder) ||
        !encoder.find("BrotliEncoderSetParameter", set_encoder) ||
        !encoder.find("BrotliEncoderCompressStream", compress) ||
        !encoder.find("BrotliEncoderHasMoreOutput", has_more))
      error = encoder.why();
    else if (!decoder.find("BrotliDecoderCreateInstance", create_decoder) ||
             !decoder.find("BrotliDecoderDestroyInstance", destroy_decoder) ||
             !decoder.find("BrotliDecoderDecompressStream", decompress) ||
             !decoder.find("BrotliDecoderHasMoreOutput", has_more_decoded))
      error = decoder.why();
    return error.empty();
  }
};

class BrotliEncoder final : public Encoder {
 public:
  explicit BrotliEncoder(const Brotli& brotli)
      : brotli_(brotli), state_(brotli.create_encoder(nullptr, nullptr, nullptr)) {}
  ~BrotliEncoder() override {
    if (state_ != nullptr) brotli_.destroy_encoder(state_);
  }
  bool open(uint32_t quality, uint32_t window) {
    return state_ != nullptr && brotli_.set_encoder(state_, kQuality, quality) &&
           brotli_.set_encoder(state_, kWindow, window);
  }
  Progress encode(std::span<const uint8_t>& input, std::span<uint8_t>& output,
                  Flush flush) override {
    const uint8_t* in = input.data();
    size_t in_left = input.size();
    uint8_t* out = output.data();
    size_t out_left = output.size();
    int how = flush == Flush::finish ? kOperationFinish : kOperationFlush;
    if (!brotli_.compress(state_, how, &in_left, &in, &out_left, &out, nullptr))
      return Progress::broken;
    input = input.last(in_left);
    output = output.last(out_left);
    if (in_left > 0 || brotli_.has_more(state_)) return Progress::room;
    return flush == Flush::finish ? Progress::end : Progress::more;
  }
  // It has no way back to its beginning.
  bool reset() override { return false; }

 private:
  const Brotli& brotli_;
  void* state_;
};

// The binary logarithm of the window that a stream begins with (RFC 7932, 9.1), from its first
// byte; 0: a larger one than that allows for, which needs another kind of stream.
uint32_t window_of(uint8_t first) {
  if ((first & 1) == 0) return 16;
  if ((first & 0x0e) != 0) return 17 + (first >> 1 & 7);
  uint32_t bits = first >> 4 & 7;
  return bits == 0 ? 17 : bits == 1 ? 0 : 8 + bits;
}

class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder(const Brotli& brotli, uint32_t window)
      : brotli_(brotli),
        state_(brotli.create_decoder(nullptr, nullptr, nullptr)),
        window_(window) {}
  ~BrotliDecoder() override {
    if (state_ != nullptr) brotli_.destroy_decoder(state_);
  }
  bool opened() const { return state_ != nullptr; }
  Progress decode(std::span<const uint8_t>& input, std::span<uint8_t>& output) override {
    if (!begun_ && !input.empty()) {
      uint32_t window = window_of(input[0]);
      if (window == 0 || window > window_) return Progress::broken;
      begun_ = true;
    }
    const uint8_t* in = input.data();
    size_t in_left = input.size();
    uint8_t* out = output.data();
    size_t out_left = output.size();
    int result = brotli_.decompress(state_, &in_left, &in, &out_left, &out, nullptr);
    input = input.last(in_left);
    output = output.last(out_left);
    if (result == kResultError) return Progress::broken;
    if (result == kResultSuccess) return Progress::end;
    // Who has used up all input asks for more, even with output that did not fit.
    bool is_full = result == kResultMoreOutput || brotli_.has_more_decoded(state_);
    return is_full ? Progress::room : Progress::more;
  }
  bool reset() override { return false; }

 private:
  const Brotli& brotli_;
  void* state_;
  uint32_t window_;
  bool begun_ = false;
};

class BrotliCodec final : public Codec {
 public:
  BrotliCodec(const Brotli& brotli, const CompressOptions& options)
      : brotli_(brotli), options_(options) {}

  std::unique_ptr<Encoder> encoder() const override {
    auto made = std::make_unique<BrotliEncoder>(brotli_);
    int level = options_.level == CompressOptions::kUsual ? kUsualLevel : options_.level;
    uint32_t window = options_.window == 0 ? kUsualWindow : options_.window;
    return made->open(static_cast<uint32_t>(level), window) ? std::move(made) : nullptr;
  }
  std::unique_ptr<Decoder> decoder() const override {
    uint32_t window = options_.inflate_window == 0 ? kLargestWindow : options_.inflate_window;
    auto made = std::make_unique<BrotliDecoder>(brotli_, window);
    return made->opened() ? std::move(made) : nullptr;
  }
  bool joins(uint8_t) const override { return false; }

 private:
  Brotli brotli_;
  CompressOptions options_;
};

}  // namespace

std::unique_ptr<Codec> make_brotli_codec(const CompressOptions& options, std::string& error) {
  Brotli brotli;
  if (!brotli.load(error)) return nullptr;
  return std::make_unique<BrotliCodec>(brotli, options);
}

}  // namespace gaidaros
