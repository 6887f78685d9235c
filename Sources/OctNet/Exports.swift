// One import brings the whole library.
@_exported import OctNetBenchmark
@_exported import OctNetData
@_exported import OctNetInference
@_exported import OctNetReport
@_exported import OctNetStudy
@_exported import OctNetTraining
