# 64-bit Arm Linux by Debian's cross compiler, g++-aarch64-linux-gnu.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

# A board may have older ones, a phone has others: with the loader they make the folder whole, and
# lib/ld-linux-aarch64.so.1 --library-path lib ./glint-runner runs anywhere.
set(GLINT_SYSTEM_LIBRARIES
  ld-linux-aarch64.so.1 libc.so.6 libdl.so.2 libgcc_s.so.1 libm.so.6 libpthread.so.0 librt.so.1
  libstdc++.so.6)
