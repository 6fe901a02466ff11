{
  "targets": [
    {
      "target_name": "gaidaros",
      "conditions": [
        ["OS!='linux'", { "type": "none" }, {
          "sources": ["<!@(node scripts/sources.cjs)"],
          "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
          "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "_GNU_SOURCE", "NDEBUG"],
          "cflags": ["-Wall", "-Wextra", "-fvisibility=hidden"],
          "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
          "cflags_cc": ["-std=c++20", "-fexceptions", "-fvisibility-inlines-hidden"],
          "ldflags": ["-Wl,-z,now"]
        }]
      ]
    }
  ]
}
