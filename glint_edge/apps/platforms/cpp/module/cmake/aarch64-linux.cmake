# 64-bit Arm Linux by Debian's and Ubuntu's cross compiler, g++-aarch64-linux-gnu; with qemu-user
# installed, ctest runs what was built:
#
#   cmake -S . -B build-aarch64 -D CMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux.cmake
#
# On ExecuTorch with -D CMAKE_PREFIX_PATH=FOLDER too, `executorch/` in its unpacked aarch64 wheel.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# A core that exists: QEMU's own choice has matrix instructions (SME) that it computes otherwise.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu cortex-a76 -L /usr/aarch64-linux-gnu)
