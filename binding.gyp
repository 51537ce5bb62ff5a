{
  'targets': [{
    'target_name': 'cresset',
    'sources': ["<!@(node -p \"require('fs').readFileSync('native/sources.txt', 'utf8').trim().split(/\\s+/).join(' ')\")"],
    'include_dirs': ['native', "<!(node -p \"require('node-addon-api').include_dir\")"],
    'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
    # Exceptions are on for what the standard library throws (std::bad_alloc); Node-API is used without them.
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-std=gnu++1y', '-fno-exceptions'],
    'cflags_cc': [
      '-std=c++20', '-O3', '-fexceptions', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast',
      '-fvisibility=hidden', '-fno-lto', '-Wall', '-Wextra',
    ],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'LLVM_LTO': 'NO',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CPLUSPLUSFLAGS': ['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast', '-Wall', '-Wextra'],
    },
    'conditions': [['OS=="linux"', { 'cflags_cc': ['-include', '<(module_root_dir)/native/glibc.h'] }]],
    # clang-cl: the kernels use the vector extensions GCC and Clang share.
    'msbuild_toolset': 'ClangCL',
    'msvs_settings': {
      'VCCLCompilerTool': {
        'ExceptionHandling': 1,
        'WholeProgramOptimization': 'false',
        'AdditionalOptions': [
          '/std:c++20', '/clang:-O3', '/clang:-fno-math-errno', '/clang:-fno-trapping-math', '/clang:-ffp-contract=fast',
        ],
      },
    },
  }],
}
