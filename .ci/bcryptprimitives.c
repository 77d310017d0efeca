/* The one function that Rust's standard library asks of bcryptprimitives.dll, for the versions of
 * Wine that do not have this library. It gives random bytes, and cannot fail. */
#include <windows.h>

/* advapi32 exports RtlGenRandom under this name. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
    while (length > 0) {
        ULONG part = length > 0x10000000 ? 0x10000000 : (ULONG)length;
        if (!SystemFunction036(buffer, part)) {
            return FALSE;
        }
        buffer += part;
        length -= part;
    }
    return TRUE;
}
