export { SageMakerService } from './sagemaker-service';
export type {
  ContainerImage,
  ObjectStore,
  PythonTrainer,
  SageMakerEvent,
  SageMakerOptions,
  TrainerChoice,
} from './ports';
