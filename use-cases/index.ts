/** The use cases that the app deploys. A new one is a file beside this one and a line here. */
import type { UseCase } from './define-use-case';
import { sensorMonitoring } from './sensor-monitoring';
import { smartFactory } from './smart-factory';
import { vehicleTelematics } from './vehicle-telematics';

export const useCases: readonly UseCase[] = [sensorMonitoring, smartFactory, vehicleTelematics];
