import OctNetData
import OctNetTraining

extension StudyConfiguration {
  /// The same for every network of the study.
  /// - Throws: as `TrainingConfiguration.validate(training:on:)` and `ModelConfiguration.makeGraph`.
  public func validate(on data: DataSplit) throws {
    try validate()
    // Seeds make no difference to the graph.
    for run in try runs() where run.configuration.seed == base.seed && run.twin == nil {
      guard let model = run.configuration.model else { continue }
      try run.configuration.validate(training: try model.makeGraph(), on: data)
    }
  }
}
