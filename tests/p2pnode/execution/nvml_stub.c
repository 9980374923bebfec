/* A stand-in for NVIDIA's libnvidia-ml.so.1 with one GPU; NVML_STUB_INIT is what opening it answers. */
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilization_t;

static int a_device;

int nvmlInitWithFlags(unsigned int flags) {
    const char *answer = getenv("NVML_STUB_INIT");
    (void)flags;
    return answer ? atoi(answer) : 0;
}
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { (void)code; return "stub error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) {
    strncpy(text, "560.35.03", size);
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned int *count) {
    const char *answer = getenv("NVML_STUB_COUNT");
    *count = answer ? (unsigned int)atoi(answer) : 1;
    return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    *device = &a_device;
    return index == 0 ? 0 : 2;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    *device = &a_device;
    return strcmp(uuid, "GPU-1234") == 0 ? 0 : 6;
}
int nvmlDeviceGetName(void *device, char *text, unsigned int size) {
    (void)device;
    strncpy(text, "NVIDIA Stub 9000", size);
    return 0;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned int size) {
    (void)device;
    strncpy(text, "GPU-1234", size);
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    (void)device;
    memory->total = 24ULL << 30;
    memory->free = memory->used = 12ULL << 30;
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    (void)device;
    *major = 8;
    *minor = 9;
    return 0;
}
/* Consumer GPUs have no instances: 3 is NVML_ERROR_NOT_SUPPORTED. */
int nvmlDeviceGetMigMode(void *device, unsigned int *now, unsigned int *later) {
    (void)device; (void)now; (void)later;
    return 3;
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
    (void)device;
    *energy = 123456789ULL;
    return 0;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned int *power) {
    (void)device; (void)power;
    return 3;
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *temperature) {
    (void)device; (void)sensor;
    *temperature = 41;
    return 0;
}
int nvmlDeviceGetUtilizationRates(void *device, utilization_t *rates) {
    (void)device;
    rates->gpu = 17;
    rates->memory = 3;
    return 0;
}
